// A viewer's day: everything can be read, nothing can be changed, nothing leaves.

import { buy, closed, expect, find, logIn, menu, test } from "./product";

test("a viewer reads all of the trade and finds no button that changes it", async ({ page }) => {
  const order = await buy(page, "만년필");
  await logIn(page, "viewer");
  expect(await menu(page)).toEqual([
    "오늘", "주문", "거래내역", "환불", "웹훅", "이벤트", "토스 호출", "대사", "인앱결제", "프로모션", "메시지", "사용자", "설정", "내 계정",
  ]);
  await find(page, order);
  await expect(page.getByText("환불 권한이 없어요")).toBeVisible();
  await expect(page.getByRole("button", { name: /환불하기/ })).toHaveCount(0);
  for (const path of ["/orders", "/transactions", "/refunds", "/webhooks", "/events", "/events/endpoints", "/reconciliation", "/iap", "/promotions", "/messages", "/users"]) {
    expect((await page.goto(path))!.status(), path).toBe(200);
    // The search, the log-out and one's own choices are all that a form does here.
    const posts = page.locator("main form[method=post]");
    expect(await posts.count(), path).toBe(0);
  }
});

test("what is not a viewer's stays closed, and says so", async ({ page }) => {
  await logIn(page, "viewer");
  await closed(page, ["/staff", "/audit", "/access-records", "/personal-data", "/exports"]);
  const answer = await page.request.post("/fn/refund", { form: { order_id: "ord_1" }, headers: { accept: "text/html" } });
  expect(answer.status()).toBe(403);
});
