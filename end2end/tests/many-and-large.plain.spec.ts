// Large money needs two people, many refunds come in a file, and a return has a last day.

import { buy, eventually, expect, find, logIn, test, transactionsAtToss } from "./product";

/** Somebody else at the same browser. */
async function logOut(page: import("@playwright/test").Page) {
  await page.getByRole("button", { name: "로그아웃" }).click();
  await expect(page.getByLabel("비밀번호")).toBeVisible();
}

// Only the finance role is limited: everything else here refunds as support, at the same time.
test("above the limit a second person approves, and the first one cannot", async ({ page }) => {
  const id = await buy(page, "요가 매트");
  await logIn(page, "admin");
  await page.goto("/settings");
  const form = page.getByRole("form", { name: "재무팀" });
  await form.getByLabel("1회 한도 (원)").fill("10,000");
  await form.getByRole("button", { name: "저장" }).click();
  await expect(page.getByText("재무팀 한도를 저장했어요.")).toBeVisible();
  await logOut(page);

  await logIn(page, "finance");
  await find(page, id);
  await page.getByRole("button", { name: /환불하기/ }).click();
  await expect(page.getByText("한도를 넘어서 다른 사람이 승인해야 보내요")).toBeVisible();
  await expect(page.getByRole("button", { name: "요청 철회" })).toBeVisible();
  await expect(page.getByRole("button", { name: /환불 승인/ })).toHaveCount(0);
  expect((await transactionsAtToss(page, id)).length, "nothing was sent").toBe(1);
  await logOut(page);

  await logIn(page, "admin");
  await page.getByRole("link", { name: /승인을 기다리는 환불/ }).click();
  await page.getByRole("link", { name: id }).click();
  await page.getByRole("button", { name: /환불 승인/ }).click();
  await expect(page.getByText(/환불을 마쳤어요\./).first()).toBeVisible();
  await eventually(page, "환불 승인");
  expect((await transactionsAtToss(page, id)).length).toBe(2);
});

test("a file is previewed line by line, run, and worth nothing the second time", async ({ page }) => {
  const [first, second] = [await buy(page, "텀블러"), await buy(page, "향초")];
  await logIn(page, "support");
  const file = {
    name: "환불.csv",
    mimeType: "text/csv",
    buffer: Buffer.from(`\uFEFF주문번호,금액\n${first},"₩3,000"\n${second},=1+1\n주문없음,1000\n`),
  };
  const upload = async () => {
    await page.goto("/refunds/batches");
    await page.locator('input[type="file"]').setInputFiles(file);
    await page.getByRole("button", { name: "미리 보기" }).click();
  };
  await upload();
  await expect(page.getByText("3줄 가운데 1줄 환불 가능")).toBeVisible();
  await expect(page.getByText("수식이 든 칸이에요")).toBeVisible();
  await expect(page.getByText("없는 주문이에요")).toBeVisible();
  expect((await transactionsAtToss(page, first)).length, "a preview refunds nothing").toBe(1);
  await page.getByRole("button", { name: "1건 3,000원 환불 시작" }).click();
  await eventually(page, "환불 1건 3,000원");
  expect((await transactionsAtToss(page, first)).length).toBe(2);

  await upload();
  await expect(page.getByText("파일과 똑같아요")).toBeVisible();
  await expect(page.getByText("환불할 수 있는 줄이 없어요.")).toBeVisible();
});

test("a return starts the legal clock and the refund stops it", async ({ page }) => {
  const id = await buy(page, "무드등");
  await logIn(page, "support");
  await find(page, id);
  await page.locator("#return summary").click();
  await page.locator("#return").getByRole("button", { name: "반품·철회 접수" }).click();
  await expect(page.getByText(/까지 환불해야 해요/)).toBeVisible();
  await page.goto("/returns");
  await page.getByRole("link", { name: id }).click();
  await page.getByRole("button", { name: /환불하기/ }).click();
  await expect(page.getByText(/환불을 마쳤어요\./)).toBeVisible();
  await page.goto("/returns");
  await expect(page.getByRole("link", { name: id })).toHaveCount(0);
});
