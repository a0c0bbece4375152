// The main job: a buyer pays, Toss's webhook arrives, an agent finds the order and refunds.

import type { Page } from "@playwright/test";
import { buy, deposit, eventually, expect, find, keyAtToss, logIn, payBack, test, transactionsAtToss } from "./product";

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
  await expect(page.getByText(/32,000원 환불을 토스가 받았어요\. 은행이 [0-9-]+까지/)).toBeVisible();
  await expect(page.locator("#refund .badge", { hasText: "은행 이체 중" })).toBeVisible();
});

/** Somebody paid into an account, and an agent pays all of it back to this one. */
async function paidBack(page: Page, number: string, holder: string): Promise<string> {
  const id = await buy(page, "원두 1kg", "가상계좌");
  await deposit(page, id);
  await logIn(page, "support");
  await payBack(page, id, number, holder);
  return id;
}

test("money that came back is found, corrected and arrives", async ({ page }) => {
  const id = await paidBack(page, "110-123-456789", "홍길동");
  await expect(page.getByText("은행 이체 중").first()).toBeVisible();

  const bank = `${process.env.SANDBOX_URL}/_sandbox/payments/${await keyAtToss(page, id)}/bank-refund`;
  await page.request.post(bank, { data: { status: "FAILED" } });
  await page.getByRole("button", { name: "토스에서 다시 확인" }).click();
  await expect(page.getByText("32,000원 환불이 구매자에게 닿지 않았어요")).toBeVisible();
  await page.goto("/");
  await page.getByRole("link", { name: /구매자에게 닿지 않은 환불/ }).click();
  await page.getByRole("link", { name: id }).click();

  const wayOut = page.locator("details", { hasText: "토스에서 계좌를 고쳐 다시 보냈어요" });
  await wayOut.locator("summary").click();
  await wayOut.getByLabel("한 일").fill("예금주를 고침");
  await wayOut.getByRole("button").click();
  await expect(page.getByText("은행이 입금하는지 계속 확인할게요")).toBeVisible();
  await expect(page.getByText("예금주를 고침").first()).toBeVisible();

  const account = { bankCode: "88", accountNumber: "110123456788", holderName: "홍길동" };
  await page.request.post(bank, { data: { sendAgain: account } });
  await page.request.post(bank, { data: { status: "COMPLETED" } });
  await page.getByRole("button", { name: "토스에서 다시 확인" }).click();
  await expect(page.locator("#refund .badge", { hasText: "입금 완료" })).toBeVisible();
  await eventually(page, "구매자 계좌에 입금 32,000원");
});

test("an account that is not the buyer's waits for a second person who sees it", async ({ page, browser }) => {
  const id = await paidBack(page, "3333-01-2345678", "박다른");
  await expect(page.getByText("구매자의 계좌인지 다른 사람이 확인하고 승인해야 보내요")).toBeVisible();

  const second = await (await browser.newContext()).newPage();
  await logIn(second, "finance");
  await second.goto(`/orders/${id}`);
  const desk = second.locator("#refund");
  await expect(desk).toContainText("신한은행 *********5678 · 박다른");
  await expect(desk).toContainText("예금주가 구매자와 달라요");
  await expect(desk).not.toContainText("2345678");
  await desk.getByRole("button", { name: "32,000원 환불 승인" }).click();
  await expect(second.getByText(/32,000원 환불을 토스가 받았어요/)).toBeVisible();
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

test("a cash receipt is issued, tried again, and goes back with the money", async ({ page }) => {
  // What the refund leaves receipted is looked after once a minute.
  test.setTimeout(150_000);
  const id = await buy(page, "원두 1kg", "가상계좌");
  await deposit(page, id);
  await logIn(page, "support");
  await find(page, id);
  await eventually(page, "현금영수증 발급");
  const receipts = page.locator("#cash-receipt");
  await receipts.locator("summary", { hasText: "현금영수증 발급" }).click();
  await receipts.getByLabel("발급 번호").fill("010");
  await receipts.getByRole("button", { name: "현금영수증 발급" }).click();
  await expect(receipts.getByText("숫자 10~30자리를 입력하세요")).toBeVisible();
  // The tax office knows nobody with this number.
  await receipts.getByLabel("발급 번호").fill("010-0000-0002");
  await receipts.getByRole("button", { name: "현금영수증 발급" }).click();
  await expect(receipts.getByText(/처리하지 못했어요 \(INVALID_IDENTITY_NUMBER\)/)).toBeVisible();
  await expect(receipts.getByRole("button", { name: "다시 시도" })).toBeVisible();
  await receipts.getByLabel("발급 번호").fill("010-0000-1234");
  await receipts.getByRole("button", { name: "현금영수증 발급" }).click();
  await expect(page.getByText("현금영수증을 처리했어요.")).toBeVisible();
  await expect(receipts.getByText("*******1234")).toBeVisible();
  // A part by hand, the rest with the refund.
  await receipts.locator("summary", { hasText: "발급 취소" }).click();
  await receipts.getByLabel("취소할 금액 (원)").fill("2,000");
  await receipts.getByRole("button", { name: "발급 취소" }).click();
  await expect(receipts.getByText(/취소 2,000원/)).toBeVisible();
  await page.getByLabel("은행").selectOption({ label: "신한은행" });
  await page.getByLabel("계좌번호").fill("110-123-456789");
  await page.getByLabel("예금주").fill("홍길동");
  await page.getByRole("button", { name: /환불하기/ }).click();
  await expect(async () => {
    await page.reload();
    await expect(receipts.getByText(/취소 30,000원/)).toBeVisible({ timeout: 500 });
    await expect(receipts.locator("li", { hasText: "취소 30,000원" }).getByText("완료")).toBeVisible({ timeout: 500 });
  }).toPass({ timeout: 90_000 });

  await page.goto("/cash-receipts");
  await page.getByRole("button", { name: "토스의 목록 읽기" }).click();
  await expect(page.getByText(/토스의 목록 [0-9]+건을 읽었어요/)).toBeVisible();
  await expect(page.getByRole("row", { name: new RegExp(id) })).toHaveCount(4);
});
