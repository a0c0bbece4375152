// What Toss posts, what somebody else posts, and looking into both again.

import { buy, eventually, expect, logIn, openDelivery, sandbox, test, today } from "./product";

test("a forged webhook is loud, changes nothing, and shows what it lied about", async ({ page, baseURL }) => {
  const order = await buy(page, "요가 매트");
  await logIn(page, "support");
  const payments = await (await page.request.get(`${sandbox}/_sandbox/payments`)).json();
  const payment = payments.find((p: { orderId: string }) => p.orderId === order);
  const lie = { ...payment, status: "CANCELED", balanceAmount: 0, secret: undefined };
  const posted = await page.request.post(`${baseURL}/hooks/toss-payments`, {
    data: { eventType: "PAYMENT_STATUS_CHANGED", createdAt: `${await today(page)}T12:00:00.000000`, data: lie },
  });
  expect(posted.status()).toBe(200);
  await openDelivery(page, `q=${order}&badge=untrusted`, "조회 결과와 다름");
  const difference = page.getByRole("row", { name: /^balanceAmount 0/ });
  await expect(difference).toBeVisible();
  await page.getByRole("button", { name: "재처리" }).click();
  await expect(page.getByText("다시 조회했어요. 바뀐 것이 없어요.")).toBeVisible();
  await page.goto("/");
  await expect(page.getByText(/하루 동안 신뢰할 수 없는 웹훅/)).toBeVisible();
  await page.goto(`/orders/${order}`);
  await expect(page.getByText("결제완료").first()).toBeVisible();
});

test("all that a filter finds is looked into again", async ({ page }) => {
  const order = await buy(page, "요가 매트");
  await logIn(page, "support");
  await page.goto(`/webhooks?q=${order}`);
  await expect(async () => {
    await page.reload();
    await expect(page.locator("a.row-link")).toHaveCount(1, { timeout: 500 });
  }).toPass({ timeout: 15_000 });
  await page.getByRole("link", { name: "이 조건의 웹훅 모두 재처리" }).click();
  await expect(page.getByRole("heading", { name: /웹훅 \d+건을 재처리해요/ })).toBeVisible();
  await page.getByRole("button", { name: /건 재처리/ }).click();
  await expect(page.getByRole("progressbar")).toBeVisible();
  await eventually(page, "완료");
  await expect(page.getByText(/장부 변경 0건/)).toBeVisible();
});

test("a viewer reads, and looks into nothing again", async ({ page }) => {
  const order = await buy(page, "요가 매트");
  await logIn(page, "viewer");
  await page.goto("/webhooks");
  await expect(page.getByRole("link", { name: "이 조건의 웹훅 모두 재처리" })).toHaveCount(0);
  await openDelivery(page, `q=${order}`, "결제완료");
  await expect(page.getByRole("button", { name: "재처리" })).toHaveCount(0);
});
