-- Days on which a panel ran, by its clock: retention believes a time only after several of them.

CREATE TABLE days (day INTEGER PRIMARY KEY) STRICT;
