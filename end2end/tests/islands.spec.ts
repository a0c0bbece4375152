// What JavaScript makes nicer.

import { buy, expect, find, logIn, test, transactionsAtToss } from "./product";

test("the palette finds an order by its id", async ({ page }) => {
  const id = await buy(page, "텀블러");
  await logIn(page, "support");
  await expect(page.locator("html[data-js]")).toBeAttached();
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox").fill(id);
  await expect(page.getByRole("option")).toHaveCount(1);
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { name: id })).toBeVisible();
});

test("the refund form checks while one types, and goes out once", async ({ page }) => {
  const id = await buy(page, "향초");
  await logIn(page, "support");
  await find(page, id);
  await expect(page.locator("html[data-js]")).toBeAttached();
  const amount = page.locator("input[name=amount]");
  const button = page.locator("#refund button[type=submit]");
  await amount.fill("20,000");
  await expect(page.getByText("환불 가능 금액 19,000보다 많아요")).toBeVisible();
  await expect(button).toBeDisabled();
  await amount.fill("5000");
  await expect(button).toHaveText("5,000원 환불하기");
  await button.dblclick();
  await expect(page.getByText("5,000원 환불을 마쳤어요.")).toBeVisible();
  expect((await transactionsAtToss(page, id)).length).toBe(2);
});

test("new deliveries are counted while one watches", async ({ page, context }) => {
  await logIn(page, "support");
  await page.goto("/webhooks");
  await expect(page.locator("html[data-js]")).toBeAttached();
  const other = await context.newPage();
  await buy(other, "요가 매트");
  await expect(page.getByRole("link", { name: /새 웹훅 \d+건 보기/ })).toBeVisible({ timeout: 15_000 });
});

test("j and k walk through a list, Enter opens", async ({ page }) => {
  await logIn(page, "support");
  await page.goto("/orders");
  await expect(page.locator("html[data-js]")).toBeAttached();
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  await page.keyboard.press("k");
  await expect(page.locator("table.orders tbody tr:first-child a.row-link")).toBeFocused();
  const id = await page.locator("a.row-link:focus code").textContent();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { name: id! })).toBeVisible();
});
