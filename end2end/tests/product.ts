// What every test starts from: a page that fails when the browser complains, people, and a shop to buy in.

import { execFileSync } from "node:child_process";
import { createServer } from "node:net";
import { test as base, expect, type Locator, type Page } from "@playwright/test";

export const sandbox = process.env.SANDBOX_URL!;
export const password = process.env.JANGBU_PASSWORD!;
export { expect };

export const test = base.extend<{ page: Page }>({
  page: async ({ page }, use) => {
    const complaints: string[] = [];
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) complaints.push(message.text());
    });
    page.on("pageerror", (error) => complaints.push(String(error)));
    await use(page);
    // An answer of 400 to 404 that a test asked for is not a complaint about the page, and a browser without JavaScript, or on a
    // slow machine, remarks that it was offered wasm.
    const expected = /status of 40[0134]|wasm was preloaded/;
    const real = complaints.filter((text) => !expected.test(text));
    expect(real, "the browser's console").toEqual([]);
  },
});

/** From below the ports that the kernel gives to whoever calls out: one of those may be taken between a look and its use. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 10_000);
    const server = createServer();
    const free = await new Promise<boolean>((resolve) => {
      server.on("error", () => resolve(false)).listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
    });
    if (free) return port;
  }
}

export async function logIn(page: Page, role: string) {
  await page.goto("/login");
  await page.getByLabel("이메일").fill(`${role}@jangbu.test`);
  await page.getByLabel("비밀번호").fill(password);
  await page.getByRole("button", { name: "로그인", exact: true }).click();
  await expect(page.getByRole("heading", { name: "오늘" })).toBeVisible();
}

/** Somebody new, invited by the administrator and here with a password of their own; logged in nowhere. */
export async function join(page: Page, role: string, name: string): Promise<string> {
  const email = `${role}-${run()}-${Math.random().toString(36).slice(2, 8)}@jangbu.test`;
  await logIn(page, "admin");
  await page.goto("/staff");
  await page.getByRole("textbox", { name: "이름" }).fill(name);
  await page.getByLabel("이메일").fill(email);
  await page.getByLabel("역할").selectOption(role);
  await page.getByRole("button", { name: "직원 초대" }).click();
  const link = await page.locator("code", { hasText: "/invitation?t=" }).innerText();
  await page.getByRole("button", { name: "로그아웃" }).click();
  await page.goto(link);
  await page.getByLabel("새 비밀번호").fill(ownPassword);
  await page.getByRole("button", { name: "비밀번호 정하기" }).click();
  await expect(page.getByText("비밀번호를 정했어요")).toBeVisible();
  // What hurts waits for another administrator, as soon as there is one; how they say yes is a test of the server.
  sql(`update jangbu.staff set role = '${role}' where email = '${email}';
       delete from jangbu.role_requests where staff_id = (select id from jangbu.staff where email = '${email}')`);
  return email;
}

export const ownPassword = "만년필 백 자루와 잉크";

export async function typePassword(page: Page, email: string) {
  await page.goto("/login");
  await page.getByLabel("이메일").fill(email);
  await page.getByLabel("비밀번호").fill(ownPassword);
  await page.getByRole("button", { name: "로그인", exact: true }).click();
}

/** Something that takes longer than a test may: asked of the database itself. */
export function sql(statement: string) {
  execFileSync("psql", ["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", process.env.JANGBU_DATABASE_URL!, "-c", statement]);
}

/** The last proof of this person is older than five minutes. */
export function proofGrowsOld(email: string) {
  sql(`update jangbu.staff_sessions set proved_at = now() - interval '301 seconds'
       where staff_id = (select id from jangbu.staff where email = '${email}')`);
}

/** What the menu offers, without the counts beside the words. */
export async function menu(page: Page): Promise<string[]> {
  const links = page.locator("nav.side a > span:first-child");
  return (await links.allInnerTexts()).map((text) => text.trim());
}

/** Pages that this role does not open. */
export async function closed(page: Page, paths: string[]) {
  for (const path of paths) {
    const answer = await page.goto(path);
    expect(answer!.status(), path).toBe(403);
    await expect(page.getByRole("heading", { name: "이 일을 할 권한이 없어요" })).toBeVisible();
  }
}

/** A buyer buys in the practice shop and pays; the order's id. */
export async function buy(page: Page, product: string, method = "카드"): Promise<string> {
  await page.goto(`${sandbox}/_sandbox/shop`);
  await page.getByRole("button", { name: `${product} 사기` }).click();
  await page.getByLabel("결제수단").selectOption(method);
  await page.getByRole("button", { name: "결제하기" }).click();
  return (await page.locator("#order-id").textContent())!;
}

export async function find(page: Page, id: string) {
  await page.goto("/orders");
  await page.getByRole("search").getByRole("searchbox").fill(id);
  await page.getByRole("search").getByRole("searchbox").press("Enter");
  await expect(page.getByRole("heading", { name: id })).toBeVisible();
}

/** Reloads until a text is there: webhooks take a moment. */
export async function eventually(page: Page, text: string | RegExp) {
  await expect(async () => {
    await page.reload();
    await expect(page.getByText(text).first()).toBeVisible({ timeout: 500 });
  }).toPass({ timeout: 15_000 });
}

export type Transaction = {
  transactionKey: string; orderId: string; status: string; amount: number; method: string; currency: string; transactionAt: string;
};

export async function transactionsAtToss(page: Page, orderId: string): Promise<Transaction[]> {
  const all = await page.request.get(`${sandbox}/_sandbox/transactions`);
  return ((await all.json()) as Transaction[]).filter((row) => row.orderId === orderId);
}

/** Which of the two runs: they share one set of books, and each makes what it needs under its own name. */
export const run = () => (base.info().project.name === "with JavaScript" ? "js" : "plain");

/** The days of this run, where both would work on the same rows. */
export const mine = (day: string) => Number(day.slice(8)) % 2 === (run() === "js" ? 1 : 0);

/** The day of the turned clock, in Seoul. */
export async function today(page: Page): Promise<string> {
  return (await (await page.request.get(`${sandbox}/_sandbox/clock`)).json()).now.slice(0, 10);
}

export function daysBefore(day: string, days: number): string {
  return new Date(Date.parse(`${day}T00:00:00Z`) - days * 86_400_000).toISOString().slice(0, 10);
}

const merchant = { Authorization: `Basic ${Buffer.from(`${process.env.SANDBOX_SECRET_KEY}:`).toString("base64")}` };

export async function keyAtToss(page: Page, order: string): Promise<string> {
  const payment = await page.request.get(`${sandbox}/v1/payments/orders/${order}`, { headers: merchant });
  return (await payment.json()).paymentKey;
}

/** Refunds in Toss's own console: we hear of it by webhook. */
export async function refundAtToss(page: Page, order: string, cancelAmount?: number) {
  const url = `${sandbox}/v1/payments/${await keyAtToss(page, order)}/cancel`;
  const done = await page.request.post(url, { headers: merchant, data: { cancelReason: "고객 변심", cancelAmount } });
  expect(done.ok()).toBe(true);
}

/** Somebody paid into an account, and whoever is logged in asks for all of it to go to this one. */
export async function payBack(page: Page, id: string, number: string, holder: string) {
  await find(page, id);
  await eventually(page, "결제완료");
  await page.getByLabel("은행").selectOption({ label: "신한은행" });
  await page.getByLabel("계좌번호").fill(number);
  await page.getByLabel("예금주").fill(holder);
  await page.getByRole("button", { name: /환불하기/ }).click();
}

export async function deposit(page: Page, order: string) {
  const paid = await page.request.post(`${sandbox}/_sandbox/payments/${await keyAtToss(page, order)}/deposit`);
  expect(paid.ok()).toBe(true);
}

/** Opens the one delivery that a filter finds and that says this, once it was looked into. */
export async function openDelivery(page: Page, query: string, says: string) {
  const row: Locator = page.getByRole("row").filter({ hasText: says });
  await expect(async () => {
    await page.goto(`/webhooks?${query}`);
    await expect(row).toHaveCount(1, { timeout: 500 });
  }).toPass({ timeout: 15_000 });
  await row.locator("a.row-link").click();
  await expect(page.getByRole("heading", { name: "전송 시도" })).toBeVisible();
}
