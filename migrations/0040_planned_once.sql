-- As in version 31, in a language whose plans are kept: every page asks for it, and a function in SQL is planned at each call.

create or replace function held(person staff) returns jsonb language plpgsql stable as $$
begin
    return jsonb_build_object(
        'ownRole', (select jsonb_build_object('id', o.id, 'name', o.name, 'permissions', o.permissions)
                    from own_roles o where o.id = person.own_role_id),
        'ownIps', person.allowed_ips,
        'allowedIps', case
            when person.allowed_ips <> '{}' then person.allowed_ips
            when person.own_role_id is not null
            then (select o.allowed_ips from own_roles o where o.id = person.own_role_id)
            else coalesce((select a.allowed_ips from role_addresses a where a.role = person.role), '{}') end);
end
$$;
