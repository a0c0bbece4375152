// What the merchant's own systems are told: a receiver that checks signatures as its library does, by the real time.

import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Page } from "@playwright/test";
import { Webhook } from "standardwebhooks";
import { buy, eventually, expect, find, logIn, run, test, today } from "./product";

type Message = { headers: IncomingHttpHeaders; body: string };

/** A system of the merchant's on this machine. */
class Receiver {
  got: Message[] = [];
  status = 200;
  #server: Server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part) => parts.push(part));
    request.on("end", () => {
      this.got.push({ headers: request.headers, body: Buffer.concat(parts).toString() });
      response.writeHead(this.status, { "content-type": "text/plain" }).end(this.status < 300 ? "잘 받았어요" : "점검 중이에요");
    });
  });

  async open(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/hook`;
  }

  close() {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  /** The first that says this, once it is there. */
  async first(says: string): Promise<Message> {
    const find = () => this.got.find((message) => message.body.includes(says));
    await expect.poll(find, { timeout: 15_000 }).toBeTruthy();
    return find()!;
  }
}

/** As the receiver's own library checks it: it throws where the signature or its time is wrong. */
function verified(secret: string, { headers, body }: Message) {
  return new Webhook(secret).verify(body, headers as Record<string, string>) as { type: string; data: Record<string, unknown> };
}

const secretOn = (page: Page) => page.locator("code", { hasText: /^whsec_/ }).innerText();

/** Adds an endpoint; the page of it is open, and its secret on it. */
async function add(page: Page, name: string, url: string): Promise<string> {
  await page.goto("/events/endpoints");
  const form = page.locator("form[action$=add_endpoint]");
  await form.getByRole("textbox", { name: "이름" }).fill(name);
  await form.getByRole("textbox", { name: "주소" }).fill("https://10.0.0.1/hook");
  await form.getByText("받을 이벤트").click();
  await form.getByLabel("환불 성공").check();
  await form.getByRole("button", { name: "추가" }).click();
  await expect(page.getByText("내부 네트워크 주소로는 보내지 않아요")).toBeVisible();
  await expect(form.getByRole("textbox", { name: "이름" }), "what was typed is still there").toHaveValue(name);
  await expect(form.getByLabel("환불 성공")).toBeChecked();
  await form.getByRole("textbox", { name: "주소" }).fill(url);
  await form.getByRole("button", { name: "추가" }).click();
  await expect(page.getByText(`${name} 엔드포인트를 추가했어요.`)).toBeVisible();
  return secretOn(page);
}

async function remove(page: Page, name: string) {
  await page.goto("/events/endpoints");
  await page.getByRole("link", { name, exact: true }).click();
  await page.locator("summary", { hasText: "삭제" }).click();
  await page.locator("form[action$=remove_endpoint] button").click();
  await expect(page.getByText("엔드포인트를 지웠어요.")).toBeVisible();
  await expect(page.getByRole("link", { name, exact: true })).toHaveCount(0);
}

test("a refund reaches the merchant's own system, signed, and can be told again", async ({ page }) => {
  const [receiver, name] = [new Receiver(), `주문 서버 ${run()}`];
  const url = await receiver.open();
  const order = await buy(page, "머그컵 세트");
  await logIn(page, "admin");
  const secret = await add(page, name, url);
  await page.reload();
  await expect(page.getByText("whsec_"), "the secret is shown once").toHaveCount(0);
  const endpoint = page.url();

  await page.getByRole("button", { name: "테스트 이벤트 보내기" }).click();
  await expect(page.getByText("테스트 이벤트를 보냈어요.")).toBeVisible();
  expect(verified(secret, await receiver.first("endpoint.test")).type).toBe("endpoint.test");
  await eventually(page, /HTTP 200/);
  await page.getByText("응답", { exact: true }).first().click();
  await expect(page.getByText("잘 받았어요")).toBeVisible();
  await page.getByRole("button", { name: "로그아웃" }).click();

  await logIn(page, "support");
  await find(page, order);
  await eventually(page, "결제완료");
  await page.locator("input[name=amount]").fill("9,000");
  await page.locator("select[name=reason_code]").selectOption("defect");
  await page.getByRole("button", { name: /환불하기/ }).click();
  await expect(page.getByText("9,000원 환불을 마쳤어요.")).toBeVisible();
  const told = await receiver.first(order);
  const event = verified(secret, told);
  expect(event).toMatchObject({ type: "refund.succeeded", data: { orderId: order, cancelAmount: 9000, state: "succeeded" } });

  // Whoever looks at the order sees what was told of it, and changes nothing about it.
  await page.goto(`/events?order=${order}&kind=refund.succeeded`);
  await page.locator("a.row-link").click();
  await expect(page.locator("code", { hasText: String(told.headers["webhook-id"]) })).toBeVisible();
  await eventually(page, /HTTP 200/);
  await expect(page.getByRole("button", { name: "이 이벤트 다시 보내기" })).toHaveCount(0);
  await page.goto(`/orders/${order}`);
  await expect(page.locator(".told-lines").getByRole("link", { name: "환불 성공" })).toBeVisible();
  await page.getByRole("button", { name: "로그아웃" }).click();

  await logIn(page, "admin");
  await page.goto(endpoint);
  const again = page.locator("#again");
  await again.getByLabel("언제부터").fill(`${await today(page)}T00:00`);
  await again.getByText("받을 이벤트").click();
  await again.getByLabel("환불 성공").check();
  await again.getByLabel("한 번도 받지 못한 이벤트만").uncheck();
  await again.getByRole("button", { name: "몇 건인지 보기" }).click();
  await expect(page.getByText(/이벤트 [\d,]+건을 다시 보내요/)).toBeVisible();
  receiver.got = [];
  await again.getByRole("button", { name: /건 다시 보내기/ }).click();
  await expect(page.locator(".notice.good")).toContainText("건을 다시 보내요");
  expect((await receiver.first(order)).headers["webhook-id"], "the same event").toBe(told.headers["webhook-id"]);
  await remove(page, name);
  receiver.close();
});

test("a secret is rotated, and both are signed with", async ({ page }) => {
  const [receiver, name] = [new Receiver(), `알림 서버 ${run()}`];
  const url = await receiver.open();
  await logIn(page, "admin");
  const before = await add(page, name, url);
  await page.locator("summary", { hasText: "서명 키 교체" }).click();
  await page.locator("form[action$=rotate_endpoint_secret] button").click();
  await expect(page.getByText("서명 키를 바꿨어요.")).toBeVisible();
  const after = await secretOn(page);
  expect(after).not.toBe(before);
  await expect(page.getByText(/까지 함께 서명/).first()).toBeVisible();
  await page.getByRole("button", { name: "테스트 이벤트 보내기" }).click();
  const message = await receiver.first("endpoint.test");
  for (const secret of [before, after]) expect(verified(secret, message).type).toBe("endpoint.test");
  expect(() => verified(before, { ...message, body: message.body.replace("test", "tost") })).toThrow();
  await remove(page, name);
  receiver.close();
});

test("a receiver that fails is shown, and tried again", async ({ page }) => {
  const [receiver, name] = [new Receiver(), `점검 서버 ${run()}`];
  const url = await receiver.open();
  receiver.status = 503;
  await logIn(page, "admin");
  await add(page, name, url);
  await page.getByRole("button", { name: "테스트 이벤트 보내기" }).click();
  await eventually(page, /HTTP 503/);
  await expect(page.getByText("실패, 다시 시도").first()).toBeVisible();
  const event = page.url();
  await page.goto("/events/endpoints");
  await expect(page.locator("tr", { hasText: name })).toContainText("전달 실패");
  receiver.status = 200;
  await page.goto(event);
  await eventually(page, /HTTP 200/);
  await page.goto("/events/endpoints");
  await expect(page.locator("tr", { hasText: name })).toContainText("사용 중");

  await page.getByRole("link", { name, exact: true }).click();
  await page.locator("summary", { hasText: "끄기" }).click();
  await page.locator("form[action$=disable_endpoint] button").click();
  await expect(page.getByText("껐어요.")).toBeVisible();
  await expect(page.getByText("꺼진 곳으로는 보낼 수 없어요. 먼저 켜세요.")).toBeVisible();
  await page.getByRole("button", { name: "켜기" }).click();
  await expect(page.getByText("켰어요.")).toBeVisible();
  await remove(page, name);
  receiver.close();
});

test("a viewer sees where events go, and changes nothing", async ({ page }) => {
  await logIn(page, "viewer");
  for (const path of ["/events", "/events/endpoints"]) {
    expect((await page.goto(path))!.status(), path).toBe(200);
    expect(await page.locator("main form[method=post]").count(), path).toBe(0);
  }
});
