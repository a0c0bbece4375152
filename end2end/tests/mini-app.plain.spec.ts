// The mini-app's side: Toss Pay, in-app purchases, promotions, users.

import type { Browser, Page } from "@playwright/test";
import { eventually, expect, find, logIn, run, sandbox, test } from "./product";

/** A new user logs in to the mini-app; the user key. */
async function newUser(page: Page): Promise<string> {
  const made = await page.request.post(`${sandbox}/_sandbox/apps-in-toss/users`, { data: {} });
  const { userKey } = await made.json();
  await page.goto(`${sandbox}/_sandbox/mini-app`);
  await page.getByRole("row", { name: String(userKey) }).getByRole("button", { name: "연결 끊기" }).click();
  await page.getByRole("row", { name: String(userKey) }).getByRole("button", { name: "다시 로그인" }).click();
  await expect(page.getByRole("row", { name: String(userKey) }).getByText("연결됨")).toBeVisible();
  return String(userKey);
}

/** A second person has seen that it gives points on one person's word. */
async function approveCampaign(browser: Browser, code: string) {
  const second = await (await browser.newContext()).newPage();
  await logIn(second, "admin");
  await second.goto(`/promotions/${code}`);
  await second.getByRole("button", { name: "캠페인 승인" }).click();
  await expect(second.getByText("캠페인을 승인했어요")).toBeVisible();
}

async function addCampaign(page: Page, code: string, points: string, cap: string, budget: string) {
  await page.goto("/promotions");
  const form = page.locator("section", { has: page.getByRole("heading", { name: "새 캠페인" }) });
  await form.getByLabel("프로모션 코드").fill(code);
  await form.getByLabel("이름").fill("봄 행사");
  await form.locator('input[name="amount"]').fill(points);
  await form.getByLabel("1인 한도").fill(cap);
  await form.locator('input[name="budget"]').fill(budget);
  await form.getByRole("button", { name: "캠페인 만들기" }).click();
  await expect(page.getByRole("heading", { name: code })).toBeVisible();
}

async function steps(page: Page, orderNo: string) {
  const all = await (await page.request.get(`${sandbox}/_sandbox/apps-in-toss/payments`)).json();
  return all.find((payment: { orderNo: string }) => payment.orderNo === orderNo).steps as { stepType: string }[];
}

test("a Toss Pay order is paid in the app and refunded as a whole, once", async ({ page }) => {
  const user = await newUser(page);
  await page.getByRole("row", { name: user }).getByRole("button", { name: "토스페이로 사기" }).click();
  await page.getByRole("button", { name: "인증하고 결제하기" }).click();
  const id = (await page.locator("#order-id").textContent())!;
  await logIn(page, "support");
  await find(page, id);
  await expect(page.getByText("결제 완료").first()).toBeVisible();
  await expect(page.getByText("payToken", { exact: true })).toBeVisible();
  await page.locator("#refund").getByLabel("상세 사유").fill("파손★");
  await page.getByRole("button", { name: /환불하기/ }).click();
  await expect(page.getByText("토스페이가 받지 않는 글자가 있어요: ★")).toBeVisible();
  expect((await steps(page, id)).length, "nothing was sent").toBe(1);
  await page.locator("#refund").getByLabel("상세 사유").fill("상자가 찢어졌어요");
  await page.getByRole("button", { name: /환불하기/ }).click();
  await expect(page.getByText(/환불을 마쳤어요\./).first()).toBeVisible();
  await expect(page.getByText("환불 완료").first()).toBeVisible();
  expect((await steps(page, id)).map((step) => step.stepType)).toEqual(["PAY", "REFUND"]);
  // Everything of this user stands on one page.
  await page.locator("dl.facts").getByRole("link", { name: user }).click();
  await expect(page.getByRole("heading", { name: user })).toBeVisible();
  await expect(page.getByRole("link", { name: id })).toBeVisible();
});

test("an in-app refund is asked for, approved by hand, and found when the store has made it", async ({ page }) => {
  const user = await newUser(page);
  await page.getByRole("row", { name: user }).getByRole("button", { name: /인앱결제 \(Android\)/ }).click();
  const all = await (await page.request.get(`${sandbox}/_sandbox/apps-in-toss/orders`)).json();
  const order: string = all.find((one: { userKey: number }) => String(one.userKey) === user).orderId;
  await logIn(page, "support");
  await page.goto("/iap?tab=requested");
  const form = page.locator("section", { has: page.getByRole("heading", { name: "환불 요청 기록" }) });
  await form.getByLabel("orderId").fill("not-a-uuid");
  await form.getByRole("button", { name: "환불 요청 기록" }).click();
  await expect(page.getByText("orderId는 UUID예요.")).toBeVisible();
  await form.getByLabel("orderId").fill(order);
  await form.getByLabel("userKey").fill(user);
  await form.getByLabel("환불 사유").fill("실수로 샀어요");
  await form.getByRole("button", { name: "환불 요청 기록" }).click();
  await expect(page.getByText("환불 요청을 기록했어요.")).toBeVisible();
  const row = page.getByRole("row", { name: new RegExp(order) });
  await expect(row.getByText("우리가 결정")).toBeVisible();
  await row.getByRole("button", { name: `승인: ${order}` }).click();
  await expect(page.getByText(/앱인토스 콘솔의 환불 요청에서도 승인해 주세요/)).toBeVisible();
  await expect(row.getByText("Google이 결정")).toBeVisible();
  await page.request.post(`${sandbox}/_sandbox/apps-in-toss/orders/${order}/move`, { data: { to: "REFUNDED" } });
  await row.getByRole("button", { name: `토스에서 다시 확인: ${order}` }).click();
  await page.goto("/iap?tab=done");
  await expect(page.getByRole("row", { name: new RegExp(order) }).getByText("환불 완료")).toBeVisible();
});

test("points are granted, pending, then paid, and never twice for one event", async ({ page, browser }) => {
  const user = await newUser(page);
  const code = `E2E-${run()}`;
  await page.request.post(`${sandbox}/_sandbox/apps-in-toss/promotions`, {
    data: { promotionCode: code, budget: 100000, pendingLooks: 1 },
  });
  await logIn(page, "finance");
  await addCampaign(page, code, "1,000", "2,000", "100,000");
  await expect(page.getByText(/승인 기준 없이 만들었어요/)).toBeVisible();
  await expect(page.getByRole("button", { name: "캠페인 승인" })).toHaveCount(0);
  await approveCampaign(browser, code);
  const grant = async () => {
    const form = page.locator("#grant");
    await form.getByLabel("userKey").fill(user);
    await form.getByLabel("지급 사유").fill("first-order");
    await form.getByRole("button", { name: "포인트 지급" }).click();
  };
  await grant();
  await expect(page.getByText(/지급하고 있어요|지급했어요/).first()).toBeVisible();
  await eventually(page, "지급 완료");
  await grant();
  await expect(page.getByText(/같은 사유로 이미 지급했거나/)).toBeVisible();
  const promotions = await (await page.request.get(`${sandbox}/_sandbox/apps-in-toss/promotions`)).json();
  expect(promotions.find((one: { promotionCode: string }) => one.promotionCode === code).paidOut).toBe(1000);
});

test("a file of users is previewed and granted", async ({ page, browser }) => {
  const [first, second] = [await newUser(page), await newUser(page)];
  const code = `FILE-${run()}`;
  await page.request.post(`${sandbox}/_sandbox/apps-in-toss/promotions`, { data: { promotionCode: code, budget: 100000 } });
  await logIn(page, "finance");
  await addCampaign(page, code, "500", "500", "1,000");
  await approveCampaign(browser, code);
  const form = page.locator("#file");
  await form.getByLabel("지급 사유").fill("spring");
  await form.locator('input[type="file"]').setInputFiles({
    name: "users.csv",
    mimeType: "text/csv",
    buffer: Buffer.from(`\uFEFFuserKey,포인트\n${first},500\n${second}\nnobody,500\n`),
  });
  await form.getByRole("button", { name: "미리 보기" }).click();
  await expect(page.getByRole("cell", { name: "userKey는 숫자예요." })).toBeVisible();
  await page.getByRole("button", { name: "2명에게 1,000P 지급" }).click();
  await eventually(page, /지급 2 ·/);
  await expect(page.getByText("지급 완료").first()).toBeVisible();
});

test("personal data is masked, shown to whoever says why, and the reason is in the access record", async ({ page }) => {
  const user = await newUser(page);
  await logIn(page, "admin");
  await page.goto(`/users/${user}`);
  await expect(page.getByText("김*준")).toBeVisible();
  await expect(page.getByText("김하준")).toHaveCount(0);
  await page.locator("summary", { hasText: "개인정보 보기" }).click();
  await page.getByLabel("열람 사유").fill("환불 계좌를 확인하려고");
  await page.getByRole("button", { name: "개인정보 보기" }).click();
  await expect(page.getByText("김하준")).toBeVisible();
  await expect(page.getByText("01012345678")).toBeVisible();
  await page.goto(`/access-records?kind=revealed&subject=${user}`);
  await expect(page.getByText("환불 계좌를 확인하려고")).toBeVisible();
});

test("a template is added, a message is sent, and where it arrived is told", async ({ page }) => {
  const user = await newUser(page);
  await logIn(page, "finance");
  await page.goto("/messages");
  // One of those that the sandbox knows, for each run its own.
  const code = run() === "js" ? "order_done" : "refund_done";
  await page.locator("summary", { hasText: "템플릿 등록" }).click();
  await page.getByLabel("templateSetCode").fill(code);
  await page.getByLabel("이름", { exact: true }).fill("주문 완료");
  await page.getByLabel("변수 이름").fill("storeName, date");
  await page.getByRole("button", { name: "템플릿 등록" }).click();
  await page.goto("/messages");
  const form = page.locator("#send");
  await form.getByLabel("템플릿").selectOption(code);
  await form.getByLabel("userKey").fill(user);
  await form.getByLabel("변수").fill("storeName=토스가게");
  await form.getByRole("button", { name: "발송" }).click();
  await expect(page.getByText("변수가 비었어요: date")).toBeVisible();
  await form.getByLabel("변수").fill("storeName=토스가게\ndate=오늘");
  await form.getByRole("button", { name: "발송" }).click();
  await expect(page.getByText("발송했어요. 푸시 1")).toBeVisible();
});
