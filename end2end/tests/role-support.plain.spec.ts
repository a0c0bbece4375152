// A support agent's day: find, refund, ask for more than one may, and see nothing of the administration.

import { buy, closed, eventually, expect, find, logIn, menu, test } from "./product";

test("a support agent refunds within the limit and asks above it", async ({ page }) => {
  const [small, large] = [await buy(page, "만년필"), await buy(page, "만년필")];
  await logIn(page, "support");
  expect(await menu(page)).toEqual([
    "오늘", "주문", "거래내역", "환불", "웹훅", "대사", "인앱결제", "프로모션", "메시지", "사용자", "설정", "내 계정",
  ]);
  await find(page, small);
  await eventually(page, "결제완료");
  await page.locator("input[name=amount]").fill("1000");
  await page.locator("select[name=reason_code]").selectOption("defect");
  await page.getByRole("button", { name: /환불하기/ }).click();
  await expect(page.getByText("1,000원 환불을 마쳤어요.")).toBeVisible();

  await find(page, large);
  await eventually(page, "결제완료");
  await page.getByRole("button", { name: /환불하기/ }).click();
  await expect(page.getByText(/승인/).first()).toBeVisible();
  // One's own request is withdrawn, never approved.
  await expect(page.getByRole("button", { name: /승인하기|승인하고/ })).toHaveCount(0);
});

test("the administration, the log and files are closed to support", async ({ page }) => {
  await logIn(page, "support");
  await closed(page, ["/staff", "/audit", "/exports"]);
  await page.goto("/settings");
  await expect(page.getByRole("button", { name: /한도/ })).toHaveCount(0);
});
