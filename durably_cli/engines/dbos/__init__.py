"""The engine on DBOS and PostgreSQL: runs are rows, and workers on any machine execute them.

A run's DBOS steps are its durable events. Who looks, triggers, cancels and signals needs only
psycopg; `worker` imports dbos.
"""
