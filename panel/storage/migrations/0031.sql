-- Gaps are looked for anew: those of currencies and crypto are judged by their week everywhere now.

UPDATE ranges SET gaps = NULL;
