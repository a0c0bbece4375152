// Finance: a difference is found, worked by two people, the day signed for, and taken out of the house.

import { readFile } from "node:fs/promises";
import type { Locator, Page } from "@playwright/test";
import { readSheet } from "read-excel-file/node";
import { daysBefore, eventually, expect, logIn, mine, sandbox, test, today, type Transaction } from "./product";

async function logOut(page: Page) {
  await page.getByRole("button", { name: "로그아웃" }).click();
  await expect(page.getByRole("button", { name: "로그인", exact: true })).toBeVisible();
}

const figure = (text: string | null) => Number((text ?? "").replaceAll(",", "").replace("−", "-"));

/** A sale in won on a day of this run without any difference is settled 777 won too dear. */
async function plant(page: Page): Promise<{ day: string; order: string }> {
  const at = await today(page);
  const green = new Set<string>();
  for (const month of new Set([at.slice(0, 7), daysBefore(at, 28).slice(0, 7)])) {
    await page.goto(`/reconciliation?month=${month}`);
    const cells = page.locator("td.day.done").filter({ hasNotText: "마감됨" });
    for (const link of await cells.getByRole("link").all()) green.add((await link.getAttribute("href"))!.slice(-10));
  }
  const all: Transaction[] = await (await page.request.get(`${sandbox}/_sandbox/transactions`)).json();
  const dayOf = (row: Transaction) => row.transactionAt.slice(0, 10);
  const sale = all.find((row) => row.status === "DONE" && row.method === "카드" && row.currency === "KRW"
    && dayOf(row) < at && mine(dayOf(row)) && green.has(dayOf(row)))!;
  expect(sale, "a sale on a day without differences").toBeTruthy();
  // The contract of the sandbox's shop takes 3.1 %.
  const fee = Math.round((sale.amount * 31) / 1000) + 777;
  const spoilt = await page.request.post(`${sandbox}/_sandbox/settlements/${sale.transactionKey}`, { data: { fee: String(fee) } });
  expect(spoilt.ok()).toBe(true);
  return { day: dayOf(sale), order: sale.orderId };
}

/** The sum that a table's last line gives under a head. */
async function sum(table: Locator, head: string): Promise<number> {
  const at = (await table.locator("thead th").allTextContents()).indexOf(head);
  expect(at, head).toBeGreaterThan(0);
  return figure(await table.locator("tfoot tr > *").nth(at).textContent());
}

/** A payout in won of a day of this run that no statement covers yet. */
async function unpaid(page: Page): Promise<{ day: string; paid: number }> {
  const at = await today(page);
  for (const month of new Set([at.slice(0, 7), daysBefore(at, 14).slice(0, 7)])) {
    await page.goto(`/reconciliation/payouts?month=${month}`);
    const rows = page.getByRole("region", { name: "지급 KRW", exact: true }).getByRole("row").filter({ hasText: "통장 내역 없음" });
    for (const row of await rows.all()) {
      const day = (await row.getByRole("link").textContent())!.trim();
      const paid = figure(await row.locator("td.payout").textContent());
      if (paid > 0 && mine(day)) return { day, paid };
    }
  }
  throw new Error("no payout without a statement");
}

test("a planted difference is found, accepted by two, the day is closed and exported with the right numbers", async ({ page }) => {
  await logIn(page, "finance");
  const { day, order } = await plant(page);
  await page.goto(`/reconciliation/${day}`);
  await page.getByRole("button", { name: "토스 목록 다시 읽기" }).click();
  await eventually(page, "수수료 불일치");
  await page.locator(".difference-rows").getByRole("link", { name: order }).click();
  await expect(page.getByRole("heading", { level: 1 })).toContainText(order);
  const difference = page.url();
  await page.getByRole("button", { name: "토스에 조회하기" }).click();
  await expect(page.getByText(/토스에 조회했지만 아직 일치하지 않아요/)).toBeVisible();
  await page.getByRole("button", { name: "내가 담당하기" }).click();
  await expect(page.getByText("이제 내가 담당해요.")).toBeVisible();
  // Without a reason nothing is accepted.
  await page.getByRole("button", { name: "인정하기", exact: true }).click();
  await expect(page.getByText("사유를 입력하세요").first()).toBeVisible();
  await page.getByLabel("인정 사유").fill("토스 담당자와 확인했어요");
  await page.getByRole("button", { name: "인정하기", exact: true }).click();
  await expect(page.getByText("인정을 요청했어요.")).toBeVisible();
  await expect(page.getByText("내가 요청한 것은 다른 사람이 봐야 해요")).toBeVisible();
  await expect(page.locator("main").getByRole("link", { name: day, exact: true })).toBeVisible();
  await page.goto(`/reconciliation/${day}`);
  await expect(page.getByText(/모두 처리하거나 인정한 뒤에 마감할 수 있어요/)).toBeVisible();
  await logOut(page);

  await logIn(page, "admin");
  await page.goto(difference);
  await page.getByRole("button", { name: "777원 인정하기" }).click();
  await expect(page.getByText("인정했어요.").first()).toBeVisible();
  await logOut(page);

  await logIn(page, "finance");
  await page.goto(`/reconciliation/${day}`);
  await page.getByLabel("메모 (선택)").fill("이상 없음");
  await page.getByRole("button", { name: `${day} 마감하기` }).click();
  await expect(page.getByText("이 날을 마감했어요.")).toBeVisible();
  await expect(page.locator(".signed").getByText(/^[0-9a-f]{64}$/)).toBeVisible();
  const total = await sum(page.getByRole("region", { name: "토스페이먼츠", exact: true }), "지급액");

  await page.getByText("이 날의 모든 거래 내보내기").click();
  await page.getByLabel("내보내기 사유").fill(`월 마감 자료 ${day}`);
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
  expect(won[0][at("거래 시각")]).toBeInstanceOf(Date);
  await logOut(page);

  // Why it was taken out stands in the audit log.
  await logIn(page, "admin");
  await page.goto("/audit?action=export.asked");
  await expect(page.getByText(`월 마감 자료 ${day}`)).toBeVisible();
});

test("what the bank has is held against what Toss pays out", async ({ page }) => {
  await logIn(page, "finance");
  const { day, paid } = await unpaid(page);
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
  const won = page.getByRole("region", { name: "지급 KRW", exact: true });
  await expect(won.getByRole("row").filter({ hasText: day }).getByText("일치", { exact: true })).toBeVisible();
});

test("a day is read again when finance says so, and what Toss has changed is found", async ({ page }) => {
  await logIn(page, "finance");
  await page.goto("/reconciliation");
  const at = await today(page);
  await expect(page.locator("td[aria-current=date] a")).toHaveAttribute("href", new RegExp(`${at}$`));
  await page.goto(`/reconciliation/${at}`);
  await page.getByRole("button", { name: "토스 목록 다시 읽기" }).click();
  await expect(page.getByText(/다시 읽고 대사했어요|토스 목록을 읽고 있어요/)).toBeVisible();
  expect((await page.request.get(`${sandbox}/_sandbox/health`)).ok()).toBe(true);
  // Somebody who only looks sees the day and cannot work it.
  await logOut(page);
  await logIn(page, "viewer");
  await page.goto(`/reconciliation/${at}`);
  await expect(page.getByRole("heading", { name: at })).toBeVisible();
  await expect(page.getByRole("button", { name: "토스 목록 다시 읽기" })).toHaveCount(0);
  await expect(page.getByText("이 날의 모든 거래 내보내기")).toHaveCount(0);
});
