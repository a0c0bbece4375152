// The main job: a buyer pays, Toss's webhook arrives, an agent finds the order and refunds.

import { buy, deposit, eventually, expect, find, keyAtToss, logIn, test, transactionsAtToss } from "./product";

test("pay, webhook, find, part refund, full refund, and the books agree", async ({ page }) => {
  const id = await buy(page, "머그컵 세트");
  await logIn(page, "support");
  await find(page, id);
  await eventually(page, "웹훅 PAYMENT_STATUS_CHANGED");
  await expect(page.getByText("24,000원").first()).toBeVisible();

  await page.locator("input[name=amount]").fill("9,000");
  await page.locator("select[name=reason_code]").selectOption("defect");
  await page.getByRole("button", { name: /환불하기/ }).click();
  await expect(page.getByText("9,000원 환불을 마쳤어요.")).toBeVisible();
  await expect(page.getByText("환불 가능 금액 15,000원").first()).toBeVisible();

  await expect(page.locator("input[name=amount]")).toHaveValue("15,000");
  await page.getByRole("button", { name: /환불하기/ }).click();
  await expect(page.getByText("15,000원 환불을 마쳤어요.")).toBeVisible();
  await expect(page.getByText("환불 가능 금액이 없어요.")).toBeVisible();

  const theirs = await transactionsAtToss(page, id);
  expect(theirs.map((row) => row.amount)).toEqual([24000, 9000, 15000]);
  await page.goto(`/transactions?q=${id}`);
  await expect(page.locator("tbody tr")).toHaveCount(3);
  for (const row of theirs) {
    const shown = page.locator("tbody tr", { hasText: row.transactionKey });
    const sign = row.status === "DONE" ? "" : "−";
    await expect(shown).toContainText(sign + row.amount.toLocaleString("en-US"));
  }
});

test("a deposited virtual account asks where the money goes", async ({ page }) => {
  const id = await buy(page, "원두 1kg", "가상계좌");
  await logIn(page, "support");
  await find(page, id);
  await expect(page.getByText("입금대기").first()).toBeVisible();
  await expect(page.getByText("전액만 환불할 수 있어요")).toBeVisible();
  await expect(page.getByLabel("계좌번호")).toHaveCount(0);

  await deposit(page, id);
  await expect(async () => {
    await page.reload();
    await expect(page.getByLabel("은행")).toBeVisible({ timeout: 500 });
  }).toPass({ timeout: 15_000 });
  // No reload between these two: the head of a page knows what its form knows.
  await expect(page.locator(".badge", { hasText: "결제완료" })).toBeVisible();
  await page.getByLabel("은행").selectOption({ label: "신한은행" });
  await page.getByLabel("계좌번호").fill("12");
  await page.getByLabel("예금주").fill("홍길동");
  await page.getByRole("button", { name: /환불하기/ }).click();
  await expect(page.getByText("계좌번호는 숫자 6~20자리예요")).toBeVisible();
  await expect(page.getByLabel("예금주"), "what was typed is still there").toHaveValue("홍길동");
  await page.getByLabel("계좌번호").fill("110-123-456789");
  await page.getByRole("button", { name: /환불하기/ }).click();
  await expect(page.getByText("32,000원 환불을 마쳤어요.")).toBeVisible();
});

test("a refund without an answer says so, and settles by itself", async ({ page }) => {
  const id = await buy(page, "무드등");
  await logIn(page, "support");
  await find(page, id);
  const key = await keyAtToss(page, id);
  const fault = { on: "cancel", kind: "lose_after", about: key };
  await page.request.post(`${process.env.SANDBOX_URL}/_sandbox/faults`, { data: fault });
  await page.getByRole("button", { name: /환불하기/ }).click();
  await expect(page.getByText("환불의 결과를 아직 몰라요")).toBeVisible();
  await expect(page.getByRole("button", { name: /환불하기/ })).toHaveCount(0);
  await eventually(page, "환불 성공 38,500원");
  expect((await transactionsAtToss(page, id)).length).toBe(2);
});
