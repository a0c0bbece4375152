// An administrator's day: people and limits; and what not even an administrator does alone.

import { expect, join, logIn, menu, run, test } from "./product";

test("an administrator sees everything, and changes nobody's rights and no limit upwards alone", async ({ page }) => {
  const email = await join(page, "support", `새 동료 ${run()}`);
  await logIn(page, "admin");
  const offered = await menu(page);
  for (const name of ["직원", "감사기록", "개인정보 접속기록", "정보주체 요구", "설정", "내 계정"]) expect(offered).toContain(name);
  await page.goto("/staff");
  const own = page.locator("tr", { hasText: "admin@jangbu.test" });
  await expect(own.locator("summary"), "nobody manages themselves").toHaveCount(0);
  const row = page.locator("tr", { hasText: email });
  await row.locator("summary").click();
  await row.getByRole("button", { name: "로그아웃시키기" }).click();
  await expect(page.locator(".notice.good")).toBeVisible();

  await page.goto("/audit");
  await expect(page.getByText("초대받은 직원 가입").first()).toBeVisible();
});
