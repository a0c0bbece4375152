// Finance: a difference is found, worked by two people, the day signed for, and taken out of the house.

import { readFile } from "node:fs/promises";
import type { Page } from "@playwright/test";
import { readSheet } from "read-excel-file/node";
import { eventually, expect, logIn, sandbox, test } from "./product";

async function logOut(page: Page) {
  await page.getByRole("button", { name: "로그아웃" }).click();
  await expect(page.getByRole("button", { name: "로그인" })).toBeVisible();
}

const mine = () => (test.info().project.name === "with JavaScript" ? "first" : "last");

const figure = (text: string | null) => Number((text ?? "").replaceAll(",", "").replace("−", "-"));

test("a planted difference is found, accepted by two, the day is closed and exported with the right numbers", async ({ page }) => {
  await logIn(page, "finance");
  await page.goto("/reconciliation/differences");
  // The two runs of this file work on one set of books at a time.
  const links = page.locator(".difference-rows a.row-link");
  await (mine() === "first" ? links.first() : links.last()).click();
  const difference = page.url();
  await page.getByRole("button", { name: "토스에 조회하기" }).click();
  await expect(page.getByText(/토스에 물어봤지만 아직 맞지 않아요/)).toBeVisible();
  await page.getByRole("button", { name: "내가 맡기" }).click();
  await expect(page.getByText("이제 내가 맡아요.")).toBeVisible();
  // Without a reason nothing is accepted.
  await page.getByRole("button", { name: "인정하기", exact: true }).click();
  await expect(page.getByText("까닭을 써 주세요").first()).toBeVisible();
  await page.getByLabel("인정하는 까닭").fill("토스 담당자와 확인했어요");
  await page.getByRole("button", { name: "인정하기", exact: true }).click();
  await expect(page.getByText("인정을 요청했어요.")).toBeVisible();
  await expect(page.getByText("내가 요청한 것은 다른 사람이 봐야 해요")).toBeVisible();
  const day = (await page.locator("main").getByRole("link", { name: /^\d{4}-\d{2}-\d{2}$/ }).textContent())!;
  await page.goto(`/reconciliation/${day}`);
  await expect(page.getByText(/모두 처리하거나 인정한 뒤에 마감할 수 있어요/)).toBeVisible();
  await logOut(page);

  await logIn(page, "admin");
  await page.goto(difference);
  await page.getByRole("button", { name: /원 인정하기/ }).click();
  await expect(page.getByText("인정했어요.").first()).toBeVisible();
  await logOut(page);

  await logIn(page, "finance");
  await page.goto(`/reconciliation/${day}`);
  await page.getByLabel("남길 말").fill("이상 없음");
  await page.getByRole("button", { name: `${day} 마감하기` }).click();
  await expect(page.getByText("이 날을 마감했어요.")).toBeVisible();
  await expect(page.locator(".signed").getByText(/^[0-9a-f]{64}$/)).toBeVisible();
  const total = figure(await page.locator("table.sums tfoot td").last().textContent());

  await page.getByText("이 날의 모든 거래 내보내기").click();
  await page.getByLabel("내보내는 까닭").fill("월 마감 자료");
  await page.getByLabel("형식").selectOption("xlsx");
  await page.getByRole("button", { name: "내보내기", exact: true }).click();
  await eventually(page, /내려받기/);
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("link", { name: /내려받기/ }).click(),
  ]);
  expect(download.suggestedFilename()).toContain(`대사-${day}`);
  const rows = await readSheet(await readFile(await download.path()));
  const heads = rows[0].map(String);
  const at = (name: string) => heads.indexOf(name);
  const won = rows.slice(1).filter((row) => row[at("통화")] === "KRW" && row[at("경로")] === "토스페이먼츠");
  expect(won.length).toBeGreaterThan(0);
  expect(won.reduce((sum, row) => sum + (row[at("지급액")] as number), 0)).toBe(total);
  expect(rows[1][at("거래 시각")]).toBeInstanceOf(Date);
  await logOut(page);

  // Why it was taken out stands in the audit log.
  await logIn(page, "admin");
  await page.goto("/audit?action=export.asked");
  await expect(page.getByText(/월 마감 자료/).first()).toBeVisible();
});

test("what the bank has is held against what Toss pays out", async ({ page }) => {
  await logIn(page, "finance");
  await page.goto("/reconciliation/payouts");
  const all = page.locator("table.pay-out-rows").first().locator("tr", { has: page.getByText("통장 내역 없음") });
  const row = mine() === "first" ? all.first() : all.last();
  const day = (await row.getByRole("link").first().textContent())!.trim();
  const paid = figure(await row.locator("td.pay-out").textContent());
  const upload = async (lines: string[]) => {
    const csv = ["거래일자,출금,입금,적요,잔액", ...lines].join("\r\n");
    await page.getByLabel("은행에서 받은 CSV").setInputFiles({ name: "통장.csv", mimeType: "text/csv", buffer: Buffer.from("\ufeff" + csv) });
    await page.getByRole("button", { name: "올리기", exact: true }).click();
  };
  await upload(["어제,,1000,토스페이먼츠,1"]);
  await expect(page.getByText("2번째 줄의 날짜를 읽을 수 없어요")).toBeVisible();
  await upload([`${day},,${paid},토스페이먼츠 정산,9000000`, `${day},,1000,이자,9001000`]);
  await expect(page.getByText(/입금 2건을 읽었어요\. 새로운 것은 2건이에요\./)).toBeVisible();
  await upload([`${day},,${paid},토스페이먼츠 정산,9000000`, `${day},,1000,이자,9001000`]);
  await expect(page.getByText(/새로운 것은 0건이에요\./)).toBeVisible();
  await page.goto(`/reconciliation/payouts?month=${day.slice(0, 7)}`);
  await expect(page.locator("tr", { hasText: day }).getByText("일치")).toBeVisible();
});

test("a day is read again when finance says so, and what Toss has changed is found", async ({ page }) => {
  await logIn(page, "finance");
  await page.goto("/reconciliation");
  const [, today] = (await page.locator("td[aria-current=date] a").getAttribute("href"))!.match(/(\d{4}-\d{2}-\d{2})/)!;
  await page.goto(`/reconciliation/${today}`);
  await page.getByRole("button", { name: "토스 목록 다시 읽기" }).click();
  await expect(page.getByText(/다시 읽고 대사했어요|토스 목록을 읽고 있어요/)).toBeVisible();
  expect((await page.request.get(`${sandbox}/_sandbox/health`)).ok()).toBe(true);
  // Somebody who only looks sees the day and cannot work it.
  await logOut(page);
  await logIn(page, "viewer");
  await page.goto(`/reconciliation/${today}`);
  await expect(page.getByRole("heading", { name: today })).toBeVisible();
  await expect(page.getByRole("button", { name: "토스 목록 다시 읽기" })).toHaveCount(0);
  await expect(page.getByText("이 날의 모든 거래 내보내기")).toHaveCount(0);
});
