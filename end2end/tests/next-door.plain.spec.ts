// The log-in of the house next door, against a real provider: in, out, and out from there.

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import type { Page } from "@playwright/test";
import AxeBuilder from "@axe-core/playwright";
import { expect, freePort, sandbox, test } from "./product";

test.describe.configure({ mode: "serial" });

let url: string;
let provider: string;
let database: string;
const children: ChildProcess[] = [];
/** What each wrote to its standard error. */
const said = new Map<ChildProcess, string>();

function sql(database: string, statement: string) {
  execFileSync("psql", ["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", statement]);
}

function start(command: string, args: string[], env: NodeJS.ProcessEnv = {}): ChildProcess {
  const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
  child.stderr!.on("data", (text) => {
    said.set(child, (said.get(child) ?? "") + text);
    if (process.env.LOUD) process.stderr.write(text);
  });
  children.push(child);
  return child;
}

/** The provider for the dashboard at this address; where it listens. It is no part of what is tested: one that does not come up is started anew. */
async function startProvider(dashboard: string): Promise<string> {
  for (let left = 2; ; left--) {
    const port = await freePort();
    const house = start(process.execPath, ["oidc/provider.mjs", String(port), dashboard]);
    const ready = new Promise<boolean>((resolve) => {
      house.stdout!.on("data", (text) => String(text).includes("ready") && resolve(true));
      house.on("close", () => resolve(false));
      setTimeout(() => resolve(false), 20_000).unref();
    });
    if (await ready) return `http://127.0.0.1:${port}`;
    house.kill("SIGKILL");
    if (!left) throw new Error(`the provider does not come up: ${said.get(house)}`);
  }
}

/** The product once more, with a database of its own, and a provider beside it. */
test.beforeAll(async () => {
  test.setTimeout(180_000);
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  provider = await startProvider(url);
  const main = process.env.JANGBU_DATABASE_URL!;
  const name = `next_door_${port}_${Date.now()}`;
  sql(main, `create database ${name}`);
  database = main.replace(/\/[^/?]*(\?.*)?$/, `/${name}$1`);
  start(process.env.JANGBU_BINARY!, ["serve"], {
    JANGBU_MODE: "sandbox", JANGBU_ADDR: `127.0.0.1:${port}`, DATABASE_URL: database, JANGBU_CLOCK_OFFSET_MS: "0",
    TOSS_PAYMENTS_URL: sandbox, TOSS_PAYMENTS_SECRET_KEY: process.env.SANDBOX_SECRET_KEY!,
    JANGBU_MERCHANT_API_KEY: "merchant-key-next-door", JANGBU_SECOND_FACTOR: "roles", JANGBU_CONFIG: undefined,
    JANGBU_OIDC_ISSUER: provider, JANGBU_OIDC_CLIENT_ID: "jangbu", JANGBU_OIDC_CLIENT_SECRET: "a secret of the tests",
    JANGBU_OIDC_ROLES: "support-team=support,finance=finance,admins=admin", JANGBU_OIDC_SCOPES: "profile email groups",
    JANGBU_OIDC_NAME: "옆집", JANGBU_OIDC_ONLY: "true",
  });
  await expect(async () => expect((await fetch(`${url}/health/ready`)).status).toBe(200)).toPass({ timeout: 90_000 });
});

test.afterAll(async () => {
  for (const child of children.reverse()) {
    const ended = new Promise((resolve) => child.on("exit", resolve));
    if (child.exitCode === null && child.signalCode === null && child.kill("SIGTERM")) await ended;
  }
});

async function comeIn(page: Page, name: string, path = "/login") {
  await page.goto(url + path);
  await page.getByRole("link", { name: "옆집 계정으로 로그인" }).click();
  await page.getByRole("button", { name }).click();
}

test("somebody comes in by their name next door, to the page they wanted, and out of both houses", async ({ page, javaScriptEnabled }) => {
  await page.goto(`${url}/login`);
  await expect(page.getByLabel("비밀번호")).toHaveCount(0);
  if (javaScriptEnabled !== false) expect((await new AxeBuilder({ page }).analyze()).violations).toEqual([]);
  await comeIn(page, "김민지", "/orders?status=DONE");
  await expect(page).toHaveURL(`${url}/orders?status=DONE`);
  await expect(page.getByText("김민지 · 지원팀")).toBeVisible();
  expect((await page.goto(`${url}/staff`))!.status()).toBe(403);

  await page.goto(`${url}/orders`);
  await page.getByRole("button", { name: "로그아웃" }).click();
  // Their house asks whether they leave it, too, and sends them back here.
  await page.getByRole("button", { name: "나가기" }).click();
  await expect(page).toHaveURL(`${url}/login`);
  await page.goto(`${url}/orders`);
  await expect(page).toHaveURL(/\/login\?next=/);
  await page.getByRole("link", { name: "옆집 계정으로 로그인" }).click();
  await expect(page.getByRole("heading", { name: "누구세요?" })).toBeVisible();
});

test("the role follows the groups, and nobody comes in without one", async ({ page }) => {
  await comeIn(page, "손님");
  await expect(page.getByRole("alert")).toContainText("장부를 쓸 수 있는 그룹에 들어 있지 않아요");
  await page.goto(`${url}/orders`);
  await expect(page).toHaveURL(/\/login/);

  const groups = (...all: string[]) =>
    fetch(`${provider}/_control`, { method: "POST", body: new URLSearchParams([["who", "guest"], ...all.map((g) => ["group", g])]) });
  await groups("guests", "finance", "support-team");
  // Their house knows them still, and asks nothing.
  await page.getByRole("link", { name: "옆집 계정으로 로그인" }).click();
  await expect(page.getByText("손님 · 재무팀")).toBeVisible();
  expect((await page.goto(`${url}/audit`))!.status()).toBe(200);
  await groups("support-team");
  await page.goto(`${url}/login/oidc?again=1`);
  await page.getByRole("button", { name: "손님" }).click();
  await expect(page.getByText("손님 · 지원팀")).toBeVisible();
  expect((await page.goto(`${url}/audit`))!.status()).toBe(403);
  await groups("guests");
});

test("a log-out next door ends the session here", async ({ page, browser }) => {
  await comeIn(page, "이가온");
  await expect(page.getByText("이가온 · 관리자")).toBeVisible();
  // The same person on another device.
  const other = await browser.newContext({ locale: "ko-KR" });
  const phone = await other.newPage();
  await comeIn(phone, "이가온");
  await expect(phone.getByText("이가온 · 관리자")).toBeVisible();

  await phone.goto(`${provider}/session/end`);
  await phone.getByRole("button", { name: "나가기" }).click();
  await expect(phone.getByRole("heading", { name: "나갔어요" })).toBeVisible();
  await phone.goto(`${url}/orders`);
  await expect(phone).toHaveURL(/\/login/);
  await other.close();
  expect((await page.goto(`${url}/orders`))!.status()).toBe(200);
  await expect(page).toHaveURL(`${url}/orders`);
});

/** Somebody logs in anew, up to the answer that their house sends them back with. */
async function answerOnItsWay(page: Page, who: string): Promise<string> {
  let at = `${url}/login/oidc?again=1`;
  while (!at.startsWith(`${url}/login/oidc/callback`)) {
    const asks = at.includes("/interaction/");
    const send = asks ? page.request.post(at, { form: { who }, maxRedirects: 0 }) : page.request.get(at, { maxRedirects: 0 });
    at = new URL((await send).headers().location, at).href;
  }
  return at;
}

test("an answer that was seen on the way opens nothing a second time", async ({ page, browser }) => {
  const seen: string[] = [];
  page.on("request", (request) => request.url().includes("/login/oidc/callback?") && seen.push(request.url()));
  await comeIn(page, "김민지");
  await expect(page.getByText("김민지 · 지원팀")).toBeVisible();
  expect(seen).toHaveLength(1);
  const other = await browser.newContext({ locale: "ko-KR" });
  const thief = await other.newPage();
  await thief.goto(seen[0]);
  await expect(thief.getByRole("alert")).toContainText("다른 창에서 시작됐어요");
  // Nor does an answer that was not used yet, in a browser that did not ask.
  const unused = await answerOnItsWay(page, "minji");
  await thief.goto(unused);
  await expect(thief.getByRole("alert")).toContainText("다른 창에서 시작됐어요");
  await thief.goto(`${url}/orders`);
  await expect(thief).toHaveURL(/\/login/);
  await other.close();
});

test("a second factor that was shown next door counts, for five minutes; without one it is shown here", async ({ page, context }) => {
  await comeIn(page, "박도현");
  await expect(page).toHaveURL(`${url}/account/factors`);
  await context.clearCookies();

  await comeIn(page, "이가온");
  await page.goto(`${url}/staff`);
  await expect(page.getByText("직원은 통합 로그인에서 처음 들어올 때 생기고")).toBeVisible();
  sql(database, "update jangbu.staff_sessions set proved_at = now() - interval '301 seconds'");
  await page.getByRole("link", { name: "박도현" }).click();
  await page.getByRole("button", { name: "사용 중지" }).click();
  // What was asked for waits here; who they are is shown in a window of the house next door.
  const opens = page.waitForEvent("popup");
  await page.getByRole("link", { name: "옆집에서 다시 확인하기 (새 창)" }).click();
  const window = await opens;
  await window.getByRole("button", { name: "이가온" }).click();
  await expect(window).toHaveURL(`${url}/account`);
  await window.close();
  await page.locator("form button[type=submit]", { hasText: "확인하고 계속" }).click();
  await expect(page.getByText("중지했어요. 열려 있던 로그인도 끝났어요.")).toBeVisible();
});
