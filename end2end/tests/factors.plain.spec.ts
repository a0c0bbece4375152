// An authenticator app: it works without JavaScript, too.

import { createHmac } from "node:crypto";
import type { Page } from "@playwright/test";
import { expect, join, proofGrowsOld, run, sql, test, typePassword } from "./product";

/** What an app shows that was given this key: RFC 6238, by Node's own hand. */
function code(secret: string): string {
  const bits = [...secret.replace(/\s/g, "")].map((c) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(c).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from(bits.match(/.{8}/g)!.map((byte) => parseInt(byte, 2)));
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000)));
  const hash = createHmac("sha1", key).update(step).digest();
  const at = hash[19] & 15;
  return String((hash.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}

/** Time goes on to the next code: a code works once. */
const nextCode = (email: string) =>
  sql(`update jangbu.staff_factors set last_step = 0 where staff_id = (select id from jangbu.staff where email = '${email}')`);

async function connect(page: Page): Promise<string> {
  await page.goto("/account/factors");
  await page.getByRole("button", { name: "인증 앱 연결하기" }).click();
  await expect(page.getByRole("img", { name: "인증 앱으로 찍는 QR 코드" })).toBeVisible();
  const secret = await page.locator(".totp-secret").innerText();
  await page.getByLabel("인증 앱의 여섯 자리").fill("000000");
  await page.getByRole("button", { name: "연결 끝내기" }).click();
  await expect(page.getByText("맞지 않아요")).toBeVisible();
  await page.getByLabel("인증 앱의 여섯 자리").fill(code(secret));
  await page.getByRole("button", { name: "연결 끝내기" }).click();
  await expect(page.getByText("내 휴대폰을(를) 더했어요")).toBeVisible();
  return secret;
}

test("an app is connected, asked for at the log-in and again before what hurts", async ({ page }) => {
  const email = await join(page, "admin", `앱을 쓰는 관리자 ${run()}`);
  await typePassword(page, email);
  const secret = await connect(page);
  await page.getByRole("button", { name: "로그아웃" }).click();

  await typePassword(page, email);
  nextCode(email);
  await page.getByLabel("인증 앱의 여섯 자리").fill("123456");
  await page.locator("form[action$=show_factor] > .button").first().click();
  await expect(page.getByText("맞지 않아요")).toBeVisible();
  await page.getByLabel("인증 앱의 여섯 자리").fill(code(secret));
  await page.locator("form[action$=show_factor] > .button").first().click();
  await expect(page.getByRole("heading", { name: "오늘" })).toBeVisible();

  proofGrowsOld(email);
  nextCode(email);
  await page.goto("/staff");
  await page.getByRole("textbox", { name: "이름" }).fill("앱으로 확인한 사람");
  await page.getByLabel("이메일").fill(`app-${email}`);
  await page.getByRole("button", { name: "직원 초대" }).click();
  await expect(page.getByRole("heading", { name: "본인 확인" })).toBeVisible();
  await page.getByLabel("인증 앱의 여섯 자리").fill(code(secret));
  await page.getByRole("button", { name: "확인하고 계속" }).first().click();
  await expect(page.getByText("앱으로 확인한 사람 님에게 보낼 링크를 만들었어요.")).toBeVisible();
});

test("what was typed stays when the log-in was over", async ({ page }) => {
  const email = await join(page, "admin", `나갔다 온 관리자 ${run()}`);
  await typePassword(page, email);
  await page.goto("/staff");
  await page.getByRole("textbox", { name: "이름" }).fill("다시 보낸 사람");
  await page.getByLabel("이메일").fill(`again-${email}`);
  sql(`delete from jangbu.staff_sessions where staff_id = (select id from jangbu.staff where email = '${email}')`);
  await page.getByRole("button", { name: "직원 초대" }).click();
  await expect(page.getByRole("heading", { name: "보내지 않았어요" })).toBeVisible();
  await expect(page.getByText(`again-${email}`)).toBeVisible();

  const [other] = await Promise.all([
    page.context().waitForEvent("page"),
    page.getByRole("link", { name: "새 창에서 로그인" }).click(),
  ]);
  await typePassword(other, email);
  await expect(other.getByRole("heading", { name: "오늘" })).toBeVisible();
  await other.close();
  await page.getByRole("button", { name: "다시 보내기" }).click();
  await expect(page.getByText("다시 보낸 사람 님에게 보낼 링크를 만들었어요.")).toBeVisible();
});
