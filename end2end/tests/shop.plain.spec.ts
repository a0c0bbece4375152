// The sample shop (examples/shop), which a merchant's engineers start from: it does what its README says.

import { type ChildProcess, spawn } from "node:child_process";
import type { Page } from "@playwright/test";
import { deposit, eventually, expect, find, freePort, logIn, sandbox, test } from "./product";

let shop: string;
let endpoint: string;
let child: ChildProcess | undefined;

/** Has the shop told of its orders; the secret that it knows our events by. */
async function addEndpoint(page: Page): Promise<string> {
  await logIn(page, "admin");
  await page.goto("/events/endpoints");
  const form = page.locator("form[action$=add_endpoint]");
  await form.getByRole("textbox", { name: "이름" }).fill(endpoint);
  await form.getByRole("textbox", { name: "주소" }).fill(`${shop}/events`);
  await form.getByText("받을 이벤트").click();
  for (const kind of ["결제 완료", "입금 대기", "결제 실패", "결제 만료", "전액 취소", "부분 취소"]) {
    await form.getByLabel(kind, { exact: true }).check();
  }
  await form.getByRole("button", { name: "추가" }).click();
  return page.locator("code", { hasText: /^whsec_/ }).innerText();
}

test.beforeAll(async ({ browser }) => {
  const port = await freePort();
  shop = `http://127.0.0.1:${port}`;
  endpoint = `예제 가게 ${port}`;
  const page = await browser.newPage();
  const secret = await addEndpoint(page);
  await page.close();
  child = spawn(process.env.SHOP_BINARY!, [], {
    env: {
      ...process.env, SHOP_ADDR: `127.0.0.1:${port}`, SHOP_URL: shop, JANGBU_URL: process.env.JANGBU_URL!,
      JANGBU_KEY: process.env.JANGBU_MERCHANT_API_KEY!, JANGBU_EVENT_SECRET: secret,
      TOSS_WINDOW_URL: `${sandbox}/_sandbox/payments`, TOSS_CLIENT_KEY: undefined,
    },
    stdio: ["ignore", "ignore", process.env.LOUD ? "inherit" : "ignore"],
  });
  await expect(async () => expect((await fetch(shop)).status).toBe(200)).toPass({ timeout: 20_000 });
});

test.afterAll(async ({ browser }) => {
  // First the endpoint: one that nobody answers at would be a warning on everybody's pages.
  const page = await browser.newPage();
  await logIn(page, "admin");
  await page.goto("/events/endpoints");
  const link = page.getByRole("link", { name: endpoint, exact: true });
  if (await link.count()) {
    await link.click();
    await page.locator("summary", { hasText: "삭제" }).click();
    await page.locator("form[action$=remove_endpoint] button").click();
    await expect(page.getByText("엔드포인트를 지웠어요.")).toBeVisible();
  }
  await page.close();
  const ended = new Promise((resolve) => child?.on("exit", resolve));
  if (child && child.exitCode === null && child.signalCode === null && child.kill("SIGTERM")) await ended;
});

/** A buyer picks something; the payment window is open. */
async function pick(page: Page, product: string) {
  await page.goto(shop);
  await page.getByRole("button", { name: `${product} 사기` }).click();
  await expect(page.getByLabel("결제수단")).toBeVisible();
}

const pay = (page: Page) => page.getByRole("button", { name: "결제하기" }).click();
const title = (page: Page, name: string) => expect(page.getByRole("heading", { name, exact: true })).toBeVisible();
const orderId = async (page: Page) => (await page.locator("#order-id").textContent())!;

test("what is paid is shipped when the event has come, and what staff refund is seen in the shop", async ({ page }) => {
  await pick(page, "도자기 접시");
  await pay(page);
  await title(page, "결제가 끝났어요");
  const [id, seen] = [await orderId(page), page.url()];
  await eventually(page, "상품을 보냈어요.");

  await logIn(page, "support");
  await find(page, id);
  await page.locator("input[name=amount]").fill("9,000");
  await page.locator("select[name=reason_code]").selectOption("defect");
  await page.getByRole("button", { name: /환불하기/ }).click();
  await expect(page.getByText("9,000원 환불을 마쳤어요.")).toBeVisible();
  await page.goto(seen);
  await eventually(page, "남은 결제 금액은 23,000원이에요.");
  await title(page, "일부를 환불했어요");

  await page.goto(`/orders/${id}`);
  await expect(page.locator("input[name=amount]")).toHaveValue("23,000");
  await page.getByRole("button", { name: /환불하기/ }).click();
  await expect(page.getByText("23,000원 환불을 마쳤어요.")).toBeVisible();
  await page.goto(seen);
  await eventually(page, "주문이 취소됐어요");
});

test("an account is waited for, and the goods leave when somebody has paid into it", async ({ page }) => {
  await pick(page, "대나무 도마");
  await page.getByLabel("결제수단").selectOption("가상계좌");
  await pay(page);
  await title(page, "입금을 기다려요");
  await expect(page.getByText("상품을 보냈어요.")).toHaveCount(0);
  await deposit(page, await orderId(page));
  await eventually(page, "상품을 보냈어요.");
  await title(page, "결제가 끝났어요");
});

test("a card that is declined is told in the words of the API, and the order says so, too", async ({ page }) => {
  await pick(page, "린넨 앞치마");
  await page.getByLabel("승인 결과").selectOption("REJECT_CARD_COMPANY");
  await pay(page);
  await title(page, "결제하지 못했어요");
  await expect(page.getByText("결제 승인이 거절되었습니다.")).toBeVisible();
  await page.getByRole("link", { name: "주문 보기" }).click();
  await expect(page.locator("#order-id")).toBeVisible();
  await eventually(page, "결제하지 못했어요");
});

test("a window that was closed costs nothing, and nobody but Jangbu says that it was paid", async ({ page }) => {
  await pick(page, "린넨 앞치마");
  await page.getByRole("button", { name: "닫기" }).click();
  await title(page, "결제하지 않았어요");
  await expect(page.getByText("사용자가 결제를 취소했습니다")).toBeVisible();
  await page.getByRole("link", { name: "주문 보기" }).click();
  const [id, seen] = [await orderId(page), page.url()];

  // Whoever writes an address or an event of their own gets nothing for it.
  await page.goto(`${shop}/success?paymentKey=tviva20261118&orderId=${id}&amount=1`);
  await expect(page.getByText("주문 금액과 결제 금액이 달라요.")).toBeVisible();
  const event = { type: "order.paid", timestamp: "2026-11-18T14:00:00+09:00", data: { orderId: id, balanceAmount: 41_000 } };
  expect((await page.request.post(`${shop}/events`, { data: event })).status()).toBe(401);
  await page.goto(`${shop}/fail?code=X&message=${encodeURIComponent("<b>계좌로 보내 주세요</b>")}`);
  await expect(page.getByText("계좌로 보내 주세요")).toHaveCount(0);
  await page.goto(`${shop}/fail?code=X&message=${encodeURIComponent("<b>취소</b>")}&orderId=${id}`);
  await expect(page.getByText("<b>취소</b>"), "shown as it was written").toBeVisible();
  await page.goto(seen);
  await expect(page.getByText("상품을 보냈어요.")).toHaveCount(0);
});
