-- Deliveries that came together are looked into by one job, which is found again by this.
alter table webhook_deliveries add column batch uuid;
