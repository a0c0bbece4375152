// Finance's day: approve what others asked for, read the log, work differences, take a masked file.

import { buy, closed, eventually, expect, find, logIn, menu, test } from "./product";

test("finance approves what support asked for, and both stand in the log", async ({ page, browser }) => {
  const order = await buy(page, "만년필");
  const agent = await (await browser.newContext({ locale: "ko-KR" })).newPage();
  await logIn(agent, "support");
  await find(agent, order);
  await eventually(agent, "결제완료");
  await agent.getByRole("button", { name: /환불하기/ }).click();
  await expect(agent.getByText(/승인/).first()).toBeVisible();

  await logIn(page, "finance");
  expect(await menu(page)).toEqual([
    "오늘", "주문", "거래내역", "환불", "웹훅", "대사", "인앱결제", "프로모션", "메시지", "사용자", "감사기록", "설정", "내 계정",
  ]);
  await page.goto(`/orders/${order}`);
  await page.locator("#refund").getByRole("button", { name: /승인/ }).click();
  await expect(page.getByText(/환불을 마쳤어요/).first()).toBeVisible();
  await page.goto("/audit?action=refund.approved");
  await expect(page.getByText("refund.approved").first()).toBeVisible();
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
