PRAGMA user_version = 8;
BEGIN TRANSACTION;
CREATE TABLE epochs (
        operation_id TEXT NOT NULL, number INTEGER NOT NULL, train_loss REAL, val_loss REAL, train_accuracy REAL,
        val_accuracy REAL, seen_at REAL NOT NULL, PRIMARY KEY (operation_id, number)
    ) STRICT, WITHOUT ROWID;
INSERT INTO "epochs" VALUES('op_a',0,0.9,1.0,0.5,0.4,1000.5);
INSERT INTO "epochs" VALUES('op_a',1,0.7,NULL,0.6,0.5,1000.5);
CREATE TABLE loads (
        key TEXT PRIMARY KEY, form TEXT NOT NULL, state TEXT NOT NULL, operation_id TEXT, message TEXT NOT NULL,
        attempts INTEGER NOT NULL, plan TEXT NOT NULL, asked_at REAL NOT NULL
    ) STRICT;
INSERT INTO "loads" VALUES('load-key-000000000000','{"symbol":"EURUSD","timeframe":"1h"}','unconfirmed',NULL,'lost',1,'',1795698825.0);
INSERT INTO "loads" VALUES('plan-key-000000000000-load-0','{"symbol":"GBPUSD","timeframe":"1h"}','waiting',NULL,'',0,'plan-key-000000000000',1795698825.0);
CREATE TABLE operations (
        id TEXT PRIMARY KEY, kind TEXT NOT NULL, live INTEGER NOT NULL, state TEXT NOT NULL, strategy TEXT NOT NULL,
        symbol TEXT NOT NULL, timeframe TEXT NOT NULL, created_at REAL NOT NULL, ended_at REAL, seconds REAL,
        words TEXT NOT NULL, evidence TEXT NOT NULL
    ) STRICT;
INSERT INTO "operations" VALUES('op_a','training',0,'completed','swing','EURUSD','1h',1795698825.0,1000.0,NULL,'op_a training swing eurusd 1h ','{"snapshot":{"id":"op_a","kind":"training","status":"completed","said":"completed","read_at":1000.5,"percentage":100.0,"step":"","steps_completed":0,"steps_total":null,"created_at":1795698825.925017,"started_at":null,"completed_at":null,"symbol":"EURUSD","timeframe":"1h","strategy":"swing","parameters":{"strategy_yaml":"name: swing\ndescri","symbols":["EURUSD"],"timeframes":["1h"],"mode":"training"},"context":{},"error":"","result":{"artifacts":{},"model_info":{"architecture":"v3_mlp","parameters_count":1227},"model_path":"models/swing/1h_v4","data_summary":{"symbols":["EURUSD"],"timeframes":["1h"],"feature_count":3,"total_samples":3118},"test_metrics":{"test_loss":0.666,"test_accuracy":0.872,"precision":0.995,"recall":0.872,"f1_score":0.93},"training_metrics":{"history":{"train_loss":[0.9,0.7],"val_loss":[1.0,null],"train_accuracy":[0.5,0.6],"val_accuracy":[0.4,0.5]},"training_time":1.19,"epochs_trained":2,"best_val_accuracy":0.739}},"epochs":[],"full":true,"settled":false},"changed_at":1000.0,"failing_since":null,"timed_out":false,"forgotten":false,"cancel":"","cancel_at":null,"changes":0,"rhythm":0.0,"untracked_since":null,"fell":false,"revived":null,"moved_at":null,"gaps_left":null,"checkpoint_epoch":null,"checkpoint_at":null,"model_at":null}');
CREATE TABLE plans (
        key TEXT PRIMARY KEY, form TEXT NOT NULL, state TEXT NOT NULL, operation_id TEXT, message TEXT NOT NULL,
        asked_at REAL NOT NULL
    ) STRICT;
INSERT INTO "plans" VALUES('plan-key-000000000000','{"strategy_name":"swing"}','waiting',NULL,'',1795698825.0);
CREATE TABLE promises (
        operation_id TEXT PRIMARY KEY, at REAL NOT NULL, low REAL NOT NULL, high REAL NOT NULL
    ) STRICT, WITHOUT ROWID;
INSERT INTO "promises" VALUES('op_a',1000.0,60.0,120.0);
CREATE TABLE ranges (
        symbol TEXT NOT NULL, timeframe TEXT NOT NULL, range TEXT NOT NULL, gaps TEXT, asked_at REAL,
        PRIMARY KEY (symbol, timeframe)
    ) STRICT;
INSERT INTO "ranges" VALUES('EURUSD','1h','{"symbol":"EURUSD","timeframe":"1h","start":0.0,"end":3600.0,"bars":2}',NULL,1000.0);
CREATE TABLE readings (
        operation_id TEXT NOT NULL, at REAL NOT NULL, state TEXT NOT NULL, word TEXT NOT NULL, headline TEXT NOT NULL,
        percentage REAL NOT NULL, step TEXT NOT NULL, epochs INTEGER NOT NULL, PRIMARY KEY (operation_id, at)
    ) STRICT, WITHOUT ROWID;
INSERT INTO "readings" VALUES('op_a',1001.0,'completed','Completed','Finished after 2 epochs.',100.0,'',2);
CREATE TABLE requests (
        operation_id TEXT NOT NULL, at REAL NOT NULL, what TEXT NOT NULL, by_whom TEXT NOT NULL, outcome TEXT NOT NULL
    ) STRICT;
INSERT INTO "requests" VALUES('op_a',1795698825.0,'cancel','the panel','taken');
CREATE TABLE starts (
        key TEXT PRIMARY KEY, kind TEXT NOT NULL, form TEXT NOT NULL, state TEXT NOT NULL,
        operation_id TEXT, message TEXT NOT NULL, asked_at REAL NOT NULL
    , by_whom TEXT NOT NULL DEFAULT 'the panel') STRICT;
INSERT INTO "starts" VALUES('form-key-000000000000','training','{"strategy_name":"swing"}','started','op_a','',1795698825.0,'the panel');
INSERT INTO "starts" VALUES('load-key-000000000000.0','data_load','{"symbol":"EURUSD","timeframe":"1h"}','refused',NULL,'busy',1795698825.0,'the panel');
INSERT INTO "starts" VALUES('load-key-000000000000.1','data_load','{"symbol":"EURUSD","timeframe":"1h"}','unconfirmed',NULL,'lost',1795698825.0,'the command line');
INSERT INTO "starts" VALUES('plan-key-000000000000.train','training','{"strategy_name":"swing"}','sending','op_b','',1795698825.0,'the panel');
CREATE TABLE watches (since REAL PRIMARY KEY, until REAL NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO "watches" VALUES(900.0,1100.0);
CREATE INDEX starts_open ON starts (state) WHERE state IN ('sending', 'unconfirmed');
CREATE INDEX operations_by_end ON operations (ended_at DESC);
CREATE INDEX operations_live ON operations (live) WHERE live = 1;
CREATE INDEX starts_by_operation ON starts (operation_id);
CREATE INDEX requests_of ON requests (operation_id, at);
CREATE INDEX operations_listed ON operations (
        created_at DESC, kind, state, strategy, symbol, ended_at, seconds, words
    );
COMMIT;
