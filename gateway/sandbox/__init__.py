"""Stand-ins for TEMIS, the sector database and their token service, with faults and made-up traffic."""
