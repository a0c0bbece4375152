// Searching, filtering, paging: the address is the view.

import { expect, logIn, test } from "./product";

test("filters stand in the address and pages go there and back", async ({ page }) => {
  await logIn(page, "support");
  await page.goto("/orders");
  const first = await page.locator("tbody tr code").first().textContent();
  await page.getByRole("link", { name: "다음" }).click();
  await expect(page).toHaveURL(/at=o/);
  await expect(page.locator("tbody tr code").first()).not.toHaveText(first!);
  await page.getByRole("link", { name: "이전" }).click();
  await expect(page.locator("tbody tr code").first()).toHaveText(first!);

  await page.locator("form.filters").first().getByLabel("상태").selectOption("PARTIAL_CANCELED");
  await page.locator("form.filters").first().getByRole("button", { name: "찾기" }).click();
  await expect(page).toHaveURL(/status=PARTIAL_CANCELED/);
  for (const badge of await page.locator("tbody .badge").allTextContents()) expect(badge).toBe("부분취소");
});

test("what finds nothing, and what cannot be read, says so", async ({ page }) => {
  await logIn(page, "support");
  await page.goto("/orders?q=no-such-thing");
  await expect(page.getByText("맞는 주문이 없어요")).toBeVisible();
  await page.goto("/orders?from=yesterday");
  await expect(page.getByText("날짜는 2026-11-21 처럼 써 주세요")).toBeVisible();
  const broken = await page.goto("/orders?at=broken");
  expect(broken!.status()).toBe(400);
  await expect(page.getByText("주소의 쪽 표시를 읽을 수 없어요")).toBeVisible();
});

test("a delivery shows what it said and what it changed", async ({ page }) => {
  await logIn(page, "support");
  await page.goto("/webhooks?event=PAYMENT_STATUS_CHANGED&state=applied");
  await page.locator("a.row-link").first().click();
  await expect(page.getByRole("heading", { name: "바꾼 것" })).toBeVisible();
  await expect(page.getByText("tosspayments-webhook-transmission-time")).toBeVisible();
  await expect(page.getByText("secret").first()).toBeVisible();
});
