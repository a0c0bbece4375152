// The sandbox's own pages: what the demo prints leads somewhere, and so does every link on the way.

import { buy, expect, sandbox, test } from "./product";

test("every address that the demo prints, and every link of the sandbox's pages, opens", async ({ page }) => {
  const order = await buy(page, "만년필");
  const printed = ["/_sandbox/shop", "/_sandbox/", "/_sandbox", "/_sandbox/mini-app"].map((path) => sandbox + path);
  const seen = new Set<string>();
  const waiting = [...printed];
  while (waiting.length > 0 && seen.size < 60) {
    const address = waiting.shift()!;
    if (seen.has(address)) continue;
    seen.add(address);
    const answer = await page.goto(address);
    expect(answer!.status(), address).toBe(200);
    expect(answer!.headers()["content-type"], address).toContain("text/html");
    for (const link of await page.locator("a[href]").all()) {
      const next = new URL((await link.getAttribute("href"))!, address);
      if (next.origin === sandbox) waiting.push(next.href);
    }
  }
  // The desk shows the newest payments, each with a link to its window.
  expect([...seen].some((address) => address.includes("/_sandbox/pay/"))).toBe(true);
  await page.goto(`${sandbox}/_sandbox/`);
  await expect(page.getByText(order)).toBeVisible();
});
