// What Toss posts, what somebody else posts, and looking into both again.

import { buy, eventually, expect, logIn, sandbox, test } from "./product";
import type { Page } from "@playwright/test";

/** A delivery is found once it was looked into. */
async function rowAppears(page: Page) {
  await expect(async () => {
    await page.reload();
    await expect(page.locator("a.row-link").first()).toBeVisible({ timeout: 500 });
  }).toPass({ timeout: 15_000 });
}

test("a forged webhook is loud, changes nothing, and shows what it lied about", async ({ page, baseURL }) => {
  const order = await buy(page, "요가 매트");
  await logIn(page, "support");
  const payments = await (await page.request.get(`${sandbox}/_sandbox/payments`)).json();
  const payment = payments.find((p: { orderId: string }) => p.orderId === order);
  const lie = { ...payment, status: "CANCELED", balanceAmount: 0, secret: undefined };
  const posted = await page.request.post(`${baseURL}/hooks/toss-payments`, {
    data: { eventType: "PAYMENT_STATUS_CHANGED", createdAt: "2026-11-22T12:00:00.000000", data: lie },
  });
  expect(posted.status()).toBe(200);
  await page.goto(`/webhooks?q=${order}&badge=untrusted`);
  await rowAppears(page);
  await expect(page.getByRole("table").getByText("조회 결과와 다름").first()).toBeVisible();
  await page.locator("a.row-link").first().click();
  const difference = page.getByRole("row", { name: /^balanceAmount 0/ });
  await expect(difference).toBeVisible();
  await page.getByRole("button", { name: "다시 처리" }).click();
  await expect(page.getByText("다시 물어봤어요. 바뀐 것이 없어요.")).toBeVisible();
  await page.goto("/");
  await expect(page.getByText(/하루 동안 온 믿을 수 없는 웹훅/)).toBeVisible();
  await page.goto(`/orders/${order}`);
  await expect(page.getByText("결제완료").first()).toBeVisible();
});

test("all that a filter finds is looked into again", async ({ page }) => {
  const order = await buy(page, "요가 매트");
  await logIn(page, "support");
  await page.goto(`/webhooks?q=${order}`);
  await rowAppears(page);
  await page.getByRole("link", { name: "이 조건의 웹훅을 모두 다시 처리하기" }).click();
  await expect(page.getByRole("heading", { name: /웹훅 \d+건을 다시 처리해요/ })).toBeVisible();
  await page.getByRole("button", { name: /건 다시 처리/ }).click();
  await expect(page.getByRole("progressbar")).toBeVisible();
  await eventually(page, "끝남");
  await expect(page.getByText(/장부가 바뀐 것 0건/)).toBeVisible();
});

test("a viewer reads, and looks into nothing again", async ({ page }) => {
  await logIn(page, "viewer");
  await page.goto("/webhooks");
  await expect(page.getByRole("link", { name: "이 조건의 웹훅을 모두 다시 처리하기" })).toHaveCount(0);
  await page.locator("a.row-link").first().click();
  await expect(page.getByRole("heading", { name: "전송 시도" })).toBeVisible();
  await expect(page.getByRole("button", { name: "다시 처리" })).toHaveCount(0);
});
