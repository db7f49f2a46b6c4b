"""Commands that look after the data: backup, restore, prune, erase, rebuild; while a server runs beside them or not."""
