// Coming in, going out, and what each role sees.

import { buy, expect, logIn, run, test } from "./product";

test("a wrong password gets one sentence, and the address is kept", async ({ page }) => {
  await page.goto("/login");
  await page.getByLabel("이메일").fill("support@jangbu.test");
  await page.getByLabel("비밀번호").fill("not the password");
  await page.getByRole("button", { name: "로그인", exact: true }).click();
  await expect(page.getByRole("alert")).toContainText("이메일이나 비밀번호가 맞지 않아요");
  await expect(page.getByLabel("이메일")).toHaveValue("support@jangbu.test");
  await expect(page.getByLabel("비밀번호")).toHaveValue("");
});

test("a link that was sent leads there after the log-in, and the session ends with a log-out", async ({ page }) => {
  await page.goto("/orders?status=DONE");
  await page.getByLabel("이메일").fill("support@jangbu.test");
  await page.getByLabel("비밀번호").fill(process.env.JANGBU_PASSWORD!);
  await page.getByRole("button", { name: "로그인", exact: true }).click();
  await expect(page).toHaveURL(/\/orders\?status=DONE$/);
  await page.getByRole("button", { name: "로그아웃" }).click();
  await expect(page).toHaveURL(/\/login/);
  await page.goto("/orders");
  await expect(page).toHaveURL(/\/login/);
});

test("viewers read and cannot refund; only administrators manage staff", async ({ page }) => {
  const order = await buy(page, "만년필");
  await logIn(page, "viewer");
  await page.goto(`/orders/${order}`);
  await expect(page.getByText("환불 권한이 없어요")).toBeVisible();
  await expect(page.getByRole("link", { name: "직원" })).toHaveCount(0);
  const answer = await page.goto("/staff");
  expect(answer!.status()).toBe(403);
  await expect(page.getByRole("heading", { name: "이 일을 할 권한이 없어요" })).toBeVisible();
});

test("an administrator invites somebody, who chooses a password, and disables them again", async ({ page, browser }) => {
  await logIn(page, "admin");
  await page.goto("/staff");
  const email = `new-${run()}@jangbu.test`;
  await page.getByRole("textbox", { name: "이름" }).fill("새 직원");
  await page.getByLabel("이메일").fill("not an address@");
  await page.locator("form[action$=invite_staff]").evaluate((form: HTMLFormElement) => (form.noValidate = true));
  await page.getByRole("button", { name: "직원 초대" }).click();
  await expect(page.getByText("이메일 주소가 아니에요")).toBeVisible();
  await page.getByLabel("이메일").fill(email);
  await page.getByRole("button", { name: "직원 초대" }).click();
  await expect(page.getByText("새 직원 님에게 보낼 링크를 만들었어요.")).toBeVisible();
  const link = await page.locator("code", { hasText: "/invitation?t=" }).innerText();
  const row = page.locator("tr", { hasText: email });
  await expect(row.getByText("초대함")).toBeVisible();

  // Somewhere else, somebody else.
  const theirs = await browser.newPage({ locale: "ko-KR", javaScriptEnabled: false });
  await theirs.goto(link);
  await theirs.getByLabel("새 비밀번호").fill("password1234");
  await theirs.getByRole("button", { name: "비밀번호 정하기" }).click();
  await expect(theirs.getByText("쉽게 짐작할 수 있는 비밀번호예요")).toBeVisible();
  await theirs.getByLabel("새 비밀번호").fill("만년필 백 자루와 잉크");
  await theirs.getByRole("button", { name: "비밀번호 정하기" }).click();
  await expect(theirs.getByText("비밀번호를 정했어요")).toBeVisible();
  await expect(theirs.getByLabel("이메일")).toHaveValue(email);
  await theirs.getByLabel("비밀번호").fill("만년필 백 자루와 잉크");
  await theirs.getByRole("button", { name: "로그인", exact: true }).click();
  await theirs.getByRole("link", { name: "새 직원 · 지원팀" }).click();
  await expect(theirs.getByRole("heading", { name: "내 계정" })).toBeVisible();
  await expect(theirs.getByText("지금 이 브라우저")).toBeVisible();

  await page.reload();
  await expect(page.getByText("/invitation?t=")).toHaveCount(0);
  await row.locator("summary").click();
  await row.getByRole("link", { name: "사용 중지" }).click();
  await expect(page.getByText("이 사람에게 열려 있는 일이 없어요.")).toBeVisible();
  await page.getByRole("button", { name: "사용 중지" }).click();
  await expect(row.getByText("중지됨")).toBeVisible();
  await theirs.reload();
  await expect(theirs).toHaveURL(/\/login/);
  await theirs.close();
});

test("English is one click away", async ({ page }) => {
  await logIn(page, "support");
  await page.goto("/settings");
  await page.getByRole("button", { name: "English" }).click();
  await expect(page.getByRole("heading", { name: "Settings" })).toBeVisible();
  await page.getByRole("button", { name: "한국어" }).click();
  await expect(page.getByRole("heading", { name: "설정", exact: true })).toBeVisible();
});
