// Finance's day: approve what others asked for, read the log, work differences, take a masked file.

import { buy, closed, deposit, eventually, expect, logIn, menu, payBack, test } from "./product";

test("finance approves what support asked for, and both stand in the log", async ({ page, browser }) => {
  const order = await buy(page, "원두 1kg", "가상계좌");
  await deposit(page, order);
  const agent = await (await browser.newContext({ locale: "ko-KR" })).newPage();
  await logIn(agent, "support");
  await payBack(agent, order, "3333-01-2345679", "박다른");
  await expect(agent.getByText("구매자의 계좌인지 다른 사람이 확인하고 승인해야 보내요")).toBeVisible();

  await logIn(page, "finance");
  expect(await menu(page)).toEqual([
    "오늘", "주문", "거래내역", "환불", "웹훅", "이벤트", "토스 호출", "대사", "인앱결제", "프로모션", "메시지", "사용자", "감사기록", "개인정보 접속기록", "설정", "내 계정",
  ]);
  await page.goto(`/orders/${order}`);
  await page.getByRole("button", { name: /환불 승인/ }).click();
  await eventually(page, "환불 승인");
  await page.goto("/audit?action=refund.approved");
  await expect(page.getByText("환불 승인").first()).toBeVisible();
  await agent.close();
});

test("finance takes a masked file with a reason, and manages nobody", async ({ page }) => {
  await logIn(page, "finance");
  await page.goto("/refunds");
  await page.locator("details.export summary").click();
  await page.locator("form[action$=ask_for_export] [name=reason]").fill("월말 확인");
  await page.locator("form[action$=ask_for_export] button[type=submit]").click();
  await expect(page).toHaveURL(/\/exports\//);
  await closed(page, ["/staff"]);
});
