// Passkeys, with Chromium's own virtual authenticator: registered, used, asked for again, lost, replaced.

import type { CDPSession, Page } from "@playwright/test";
import AxeBuilder from "@axe-core/playwright";
import { expect, join, logIn, proofGrowsOld, test, typePassword } from "./product";

type Key = { cdp: CDPSession; authenticatorId: string };

async function key(page: Page): Promise<Key> {
  const cdp = await page.context().newCDPSession(page);
  await cdp.send("WebAuthn.enable");
  const { authenticatorId } = await cdp.send("WebAuthn.addVirtualAuthenticator", {
    options: {
      protocol: "ctap2", transport: "internal", hasResidentKey: true, hasUserVerification: true, isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  });
  return { cdp, authenticatorId };
}

const lose = ({ cdp, authenticatorId }: Key) => cdp.send("WebAuthn.removeVirtualAuthenticator", { authenticatorId });

/** Registers a passkey on the page of one's own; the codes for bad days that it brings. */
async function register(page: Page, name: string): Promise<string[]> {
  await page.goto("/account/factors");
  await page.locator("form[action$=add_passkey]").getByLabel("알아볼 이름").fill(name);
  await page.getByRole("button", { name: "패스키 더하기" }).click();
  await expect(page.getByText(`${name}을(를) 더했어요`)).toBeVisible();
  return page.locator(".recovery-codes li").allInnerTexts();
}

async function accessible(page: Page) {
  const found = await new AxeBuilder({ page }).analyze();
  expect(found.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target).join(" | ")}`), page.url()).toEqual([]);
}

async function leave(page: Page) {
  await page.getByRole("button", { name: "로그아웃" }).click();
  await expect(page).toHaveURL(/\/login/);
}

test("a passkey is the second step, and alone the whole log-in", async ({ page }) => {
  await key(page);
  const email = await join(page, "support", "열쇠 가진 직원");
  await typePassword(page, email);
  expect((await register(page, "회사 노트북")).length).toBe(10);
  await expect(page.getByRole("row").filter({ hasText: "회사 노트북" })).toContainText("패스키");
  await leave(page);

  await typePassword(page, email);
  await expect(page.getByRole("heading", { name: "본인 확인" })).toBeVisible();
  await accessible(page);
  await page.goto("/orders");
  await expect(page).toHaveURL(/\/login/);
  await typePassword(page, email);
  // On a slow machine the button is there before what it does.
  await expect(async () => {
    await page.getByRole("button", { name: "패스키로 확인" }).click({ timeout: 2_000 });
    await expect(page.getByRole("heading", { name: "오늘" })).toBeVisible({ timeout: 6_000 });
  }).toPass({ timeout: 30_000 });
  await leave(page);

  await page.goto("/login?next=/orders");
  await page.getByRole("button", { name: "패스키로 로그인" }).click();
  await expect(page).toHaveURL(/\/orders$/);
});

test("before what hurts it is asked for again, and what was typed goes on", async ({ page }) => {
  await key(page);
  const email = await join(page, "admin", "관리자 둘");
  await typePassword(page, email);
  await register(page, "보안 키");
  proofGrowsOld(email);
  await page.goto("/staff");
  await page.getByRole("textbox", { name: "이름" }).fill("확인하고 온 사람");
  await page.getByLabel("이메일").fill(`proven-${email}`);
  await page.getByRole("button", { name: "직원 초대" }).click();
  await expect(page.getByRole("heading", { name: "본인 확인" })).toBeVisible();
  await accessible(page);
  await page.getByRole("button", { name: "패스키로 확인" }).click();
  await expect(page.getByText("확인하고 온 사람 님에게 보낼 링크를 만들었어요.")).toBeVisible();

  // Two tabs: each has a question of its own, and an answer to one is none to the other.
  proofGrowsOld(email);
  const other = await page.context().newPage();
  for (const tab of [page, other]) await tab.goto("/account/factors");
  await page.getByRole("button", { name: "패스키로 확인" }).click();
  await expect(page.getByRole("heading", { name: "두 번째 확인" })).toBeVisible();
  await other.reload();
  await expect(other.getByRole("heading", { name: "두 번째 확인" })).toBeVisible();
  await other.close();
});

test("a lost key: a code for bad days, then another administrator", async ({ page, browser }) => {
  const first = await key(page);
  const email = await join(page, "finance", "열쇠를 잃은 직원");
  await typePassword(page, email);
  const codes = await register(page, "잃어버릴 열쇠");
  await leave(page);
  await lose(first);

  await typePassword(page, email);
  await page.getByText("기기를 쓸 수 없나요?").click();
  await page.getByLabel("복구 코드").fill(codes[3]);
  await page.locator("details.recovery").getByRole("button", { name: "로그인" }).click();
  await expect(page.getByRole("heading", { name: "오늘" })).toBeVisible();
  await page.goto("/account/factors");
  await expect(page.getByText("쓰지 않은 코드가 9개 남았어요.")).toBeVisible();

  const theirs = await browser.newPage({ locale: "ko-KR" });
  await logIn(theirs, "admin");
  await theirs.goto("/staff");
  const row = theirs.locator("tr", { hasText: email });
  await row.locator("summary").click();
  await row.getByLabel("본인을 어떻게 확인했나요?").fill("영상 통화로 얼굴을 봤어요");
  await row.getByRole("button", { name: "두 번째 확인 초기화" }).click();
  await expect(theirs.getByText("다음에 로그인하면 새로 등록해요")).toBeVisible();
  await theirs.close();

  await page.reload();
  await expect(page).toHaveURL(/\/login/);
  await typePassword(page, email);
  await expect(page.getByText("내 두 번째 확인을 초기화했어요")).toBeVisible();
  await page.getByRole("button", { name: "확인했어요" }).click();
  await expect(page.getByText("내 두 번째 확인을 초기화했어요")).toHaveCount(0);
  await key(page);
  await register(page, "새 열쇠");
});

test("a passkey of another address, an old answer and a touch that never comes are said to be that", async ({ page }) => {
  const { cdp, authenticatorId } = await key(page);
  const email = await join(page, "support", "낯선 주소의 직원");
  await typePassword(page, email);
  await register(page, "열쇠");
  await leave(page);
  await typePassword(page, email);

  // What a page at another address would have got signed.
  await page.evaluate(() => {
    const send = HTMLFormElement.prototype.submit;
    HTMLFormElement.prototype.submit = function () {
      const field = this.querySelector<HTMLInputElement>("input[name=proof_credential]")!;
      sessionStorage.setItem("caught", field.value);
      const credential = JSON.parse(field.value);
      const code = (text: string) => btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
      const data = JSON.parse(atob(credential.response.clientDataJSON.replaceAll("-", "+").replaceAll("_", "/")));
      data.origin = "https://jangbu.phish.example";
      credential.response.clientDataJSON = code(JSON.stringify(data));
      field.value = JSON.stringify(credential);
      send.call(this);
    };
  });
  await page.getByRole("button", { name: "패스키로 확인" }).click();
  await expect(page.getByText("이 패스키는 다른 주소의 것이에요")).toBeVisible();

  // The answer that was caught on its way is used up with the question.
  await page.evaluate(() => {
    const field = document.querySelector<HTMLInputElement>("input[name=proof_credential]")!;
    field.value = sessionStorage.getItem("caught")!;
    field.form!.submit();
  });
  await expect(page.getByText("시간이 지났거나 이미 쓴 확인이에요")).toBeVisible();

  await cdp.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified: false });
  await page.goto("/login");
  await page.getByRole("button", { name: "패스키로 로그인" }).click();
  await expect(page.getByText("확인하지 못했어요. 다시 시도하세요.")).toBeVisible();
  await cdp.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified: true });
  await page.getByRole("button", { name: "패스키로 로그인" }).click();
  await expect(page.getByRole("heading", { name: "오늘" })).toBeVisible();
});
