// Searching, filtering, paging: the address is the view.

import { buy, daysBefore, eventually, expect, logIn, openDelivery, refundAtToss, test, today } from "./product";

test("filters stand in the address and pages go there and back", async ({ page }) => {
  await logIn(page, "support");
  // Of the days before: nobody orders there while we read.
  await page.goto(`/orders?to=${daysBefore(await today(page), 1)}`);
  const first = await page.locator("tbody tr code").first().textContent();
  await page.getByRole("link", { name: "다음" }).click();
  await expect(page).toHaveURL(/at=o/);
  await expect(page.locator("tbody tr code").first()).not.toHaveText(first!);
  await page.getByRole("link", { name: "이전" }).click();
  await expect(page.locator("tbody tr code").first()).toHaveText(first!);

  const part = await buy(page, "만년필");
  await refundAtToss(page, part, 1000);
  await page.goto(`/orders/${part}`);
  await eventually(page, "부분취소");
  await page.goto("/orders");
  const filters = page.locator("form.filters[method=get]");
  await filters.getByLabel("상태").selectOption("PARTIAL_CANCELED");
  await filters.getByRole("button", { name: "검색" }).click();
  await expect(page).toHaveURL(/status=PARTIAL_CANCELED/);
  await expect(page.getByRole("link", { name: part })).toBeVisible();
  for (const badge of await page.locator("tbody .badge").allTextContents()) expect(badge).toBe("부분취소");
});

test("what finds nothing, and what cannot be read, says so", async ({ page }) => {
  await logIn(page, "support");
  await page.goto("/orders?q=no-such-thing");
  await expect(page.getByText("맞는 주문이 없어요")).toBeVisible();
  await page.goto("/orders?from=yesterday");
  await expect(page.getByText("날짜는 2026-11-21처럼 입력하세요")).toBeVisible();
  const broken = await page.goto("/orders?at=broken");
  expect(broken!.status()).toBe(400);
  await expect(page.getByText("주소의 페이지 값을 읽을 수 없어요")).toBeVisible();
});

test("a delivery shows what it said and what it changed", async ({ page }) => {
  const order = await buy(page, "만년필");
  await refundAtToss(page, order);
  await logIn(page, "support");
  await openDelivery(page, `q=${order}&event=PAYMENT_STATUS_CHANGED&state=applied`, "전액취소");
  await expect(page.getByRole("heading", { name: "변경 사항" })).toBeVisible();
  await expect(page.getByText("tosspayments-webhook-transmission-time")).toBeVisible();
  await expect(page.getByText("secret").first()).toBeVisible();
});
