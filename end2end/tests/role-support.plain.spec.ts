// A support agent's day: find, refund, ask for more than one may, and see nothing of the administration.

import { buy, closed, deposit, eventually, expect, find, logIn, menu, payBack, test } from "./product";

test("a support agent refunds, and asks where the account is not the buyer's", async ({ page }) => {
  const [small, other] = [await buy(page, "만년필"), await buy(page, "원두 1kg", "가상계좌")];
  await deposit(page, other);
  await logIn(page, "support");
  expect(await menu(page)).toEqual([
    "오늘", "주문", "거래내역", "환불", "웹훅", "이벤트", "토스 호출", "대사", "인앱결제", "프로모션", "메시지", "사용자", "설정", "내 계정",
  ]);
  await find(page, small);
  await eventually(page, "결제완료");
  await page.locator("input[name=amount]").fill("1000");
  await page.locator("select[name=reason_code]").selectOption("defect");
  await page.getByRole("button", { name: /환불하기/ }).click();
  await expect(page.getByText("1,000원 환불을 마쳤어요.")).toBeVisible();

  await payBack(page, other, "3333-01-2345678", "박다른");
  await expect(page.getByText("구매자의 계좌인지 다른 사람이 확인하고 승인해야 보내요")).toBeVisible();
  // One's own request is withdrawn, never approved.
  await expect(page.getByRole("button", { name: "요청 철회" })).toBeVisible();
  await expect(page.getByRole("button", { name: /환불 승인/ })).toHaveCount(0);
});

test("the administration, the log and files are closed to support", async ({ page }) => {
  await logIn(page, "support");
  await closed(page, ["/staff", "/audit", "/access-records", "/personal-data", "/exports"]);
  await page.goto("/settings");
  await expect(page.getByRole("button", { name: /한도/ })).toHaveCount(0);
});
