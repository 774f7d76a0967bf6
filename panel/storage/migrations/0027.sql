-- Lists are walked in their whole order: with the number behind the facet each of their rows was sorted on the way.

DROP INDEX listing_created;
DROP INDEX listing_ended;
DROP INDEX listing_took;
CREATE INDEX listing_created ON listing (created_at, number, facet);
CREATE INDEX listing_ended ON listing (ended_at, number, facet);
CREATE INDEX listing_took ON listing (seconds, number, facet);
