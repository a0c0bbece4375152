-- What of a part refund bears no VAT: sent along with it (taxFreeAmount, taxExemptionAmount). Nothing where the whole that is
-- left goes back, or where nothing of the payment is free of VAT.
alter table refunds
    add column tax_free_amount      numeric check (tax_free_amount >= 0),
    add column tax_exemption_amount numeric check (tax_exemption_amount >= 0),
    add constraint refunds_tax_is_a_part
        check (coalesce(tax_free_amount, 0) + coalesce(tax_exemption_amount, 0) <= amount);
