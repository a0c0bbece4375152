// Who saw whose personal data, and what somebody may ask of us about theirs.

import type { Page } from "@playwright/test";
import { eventually, expect, logIn, run, test } from "./product";

/** An order that says who bought it. */
async function order(page: Page, phone: string): Promise<string> {
  const id = `person-${run()}-${Math.random().toString(36).slice(2, 8)}`;
  const answer = await page.request.post(`${process.env.JANGBU_URL}/api/v1/orders`, {
    headers: { Authorization: `Bearer ${process.env.JANGBU_MERCHANT_API_KEY}` },
    data: { orderId: id, amount: 12000, orderName: "머그컵", customerName: "남궁서연", customerMobilePhone: phone },
  });
  expect(answer.status()).toBe(201);
  return id;
}

const phone = () => `0107${String(Math.floor(Math.random() * 1e7)).padStart(7, "0")}`;

test("who looked for somebody and opened their order stands in the access record", async ({ page }) => {
  const number = phone();
  const id = await order(page, number);
  await logIn(page, "support");
  await page.goto(`/orders?q=${number}`);
  await page.getByRole("link", { name: id }).click();
  await expect(page.getByText("남**연")).toBeVisible();
  await page.getByRole("button", { name: "로그아웃" }).click();

  await logIn(page, "finance");
  await page.goto("/access-records");
  await page.getByLabel("주문번호, userKey, 전화번호, 이메일, 이름").fill(id);
  await page.getByRole("button", { name: "검색", exact: true }).click();
  const viewed = page.locator("tr", { hasText: id });
  await expect(viewed).toHaveCount(1);
  await expect(viewed).toContainText("열람");
  await expect(viewed).toContainText("이름, 전화번호");
  // By the number itself: what was typed is kept as nobody can read it, and found again.
  await page.getByLabel("주문번호, userKey, 전화번호, 이메일, 이름").fill(number);
  await page.getByRole("button", { name: "검색", exact: true }).click();
  await expect(page.locator("tr", { hasText: "암호화해서 보관" })).toHaveCount(1);
  await page.goto("/access-records/review");
  await expect(page.getByRole("heading", { name: /월별 점검/ })).toBeVisible();
});

test("somebody gets a copy of what is kept of them, and is forgotten", async ({ page }) => {
  const number = phone();
  const id = await order(page, number);
  await logIn(page, "admin");
  await page.goto("/personal-data");
  await page.getByRole("button", { name: "검색", exact: true }).click();
  await page.locator("input[name=phone]").fill("12");
  await page.getByRole("button", { name: "검색", exact: true }).click();
  await expect(page.getByText("전화번호를 확인해 주세요.")).toBeVisible();
  await page.locator("input[name=phone]").fill(number);
  await page.getByRole("button", { name: "검색", exact: true }).click();
  await page.locator("main summary", { hasText: /^주문$/ }).click();
  await expect(page.getByRole("link", { name: id })).toBeVisible();
  const found = page.url();

  await page.getByLabel("요구한 사람과 사유").first().fill("본인 전화, 주문번호 확인");
  await page.getByRole("button", { name: "사본 만들기" }).click();
  await eventually(page, "내려받기");

  await page.goto(found);
  await page.locator("main summary", { hasText: "지우기·처리 제한" }).click();
  await page.getByLabel("요구한 사람과 사유").last().fill("본인 요청");
  await page.getByRole("button", { name: "지우기·처리 제한" }).click();
  await expect(page.getByText("주문 1건 삭제, 0건 처리 제한").first()).toBeVisible();
  await page.goto(`/orders/${id}`);
  await expect(page.getByText("남**연")).toHaveCount(0);
  await page.goto(found);
  await expect(page.getByRole("link", { name: id })).toHaveCount(0);
});
