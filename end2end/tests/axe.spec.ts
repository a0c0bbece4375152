// Every page, wide and narrow, light and dark: no violation, nothing that scrolls sideways.

import AxeBuilder from "@axe-core/playwright";
import { buy, deposit, eventually, expect, logIn, openDelivery, refundAtToss, test } from "./product";

const pages = ["/", "/orders", "/transactions", "/refunds", "/returns", "/refunds/batches", "/refunds/reasons", "/webhooks", "/webhooks/missing", "/webhooks/replays", "/toss-calls", "/events", "/events?state=nothing", "/events/endpoints", "/iap", "/iap?tab=requested", "/iap?tab=done", "/promotions", "/messages", "/users", "/reconciliation", "/reconciliation/differences", "/reconciliation/payouts", "/reconciliation/reports", "/reconciliation/contract", "/cash-receipts", "/exports", "/settings/firewall", "/staff", "/staff/roles", "/staff/rights", "/account", "/account/factors", "/audit", "/audit/1", "/access-records", "/access-records/review", "/personal-data", "/personal-data?phone=010-1234-5678", "/security", "/api-keys", "/api-keys/requests", "/settings", "/no-such-page"];

for (const colorScheme of ["light", "dark"] as const) {
  for (const width of [1440, 390]) {
    test(`axe, ${colorScheme}, ${width} wide`, async ({ page }) => {
      test.setTimeout(240_000);
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 900 });
      const [done, part, account] = [await buy(page, "만년필"), await buy(page, "만년필"), await buy(page, "만년필", "가상계좌")];
      await refundAtToss(page, part, 1000);
      await deposit(page, account);
      await page.goto("/login");
      const check = async (path: string) => {
        const found = await new AxeBuilder({ page }).analyze();
        const short = found.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target + " " + n.failureSummary).join(" | ")}`);
        expect(short, path).toEqual([]);
        const sideways = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        expect(sideways, `${path} scrolls sideways`).toBeLessThanOrEqual(0);
      };
      await check("/login");
      await logIn(page, "admin");
      for (const path of pages) {
        await page.goto(path);
        await check(path);
      }
      for (const [order, state] of [[done, "결제완료"], [part, "부분취소"], [account, "결제완료"]]) {
        await page.goto(`/orders/${order}`);
        await eventually(page, state);
        await check(page.url());
      }
      await openDelivery(page, `q=${part}`, "부분취소");
      await check(page.url());
      await page.goto("/toss-calls");
      await page.locator(".call-rows tbody tr").first().getByRole("link").first().click();
      await page.waitForLoadState();
      await check(page.url());
      // The one that the trade plants and nobody works.
      await page.goto("/reconciliation/differences?class=duplicate");
      await page.locator(".difference-rows tbody tr").filter({ hasText: "중복" }).getByRole("link").click();
      await page.waitForLoadState();
      await check(page.url());
    });
  }
}
