import { readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';

import { createLogger } from '@caloron/capabilities/logger';
import { systemRandom } from '@caloron/capabilities/random';
import { createRuntime, findHome, readConfig, readEnvironment } from '@caloron/scheduler';
import { startScheduler } from '@caloron/scheduler/scheduler';

// A scheduler in a process of its own whose clock is a file: the test moves the time of all of them at once.

const dir = process.argv[2] ?? '';
const home = findHome({ flag: dir, cwd: dir, variables: {} });
const clock = { now: () => readFileSync(join(dir, 'now'), 'utf8') };
const environment = readEnvironment({}, home);
const runtime = createRuntime({ home, environment, clock, random: systemRandom });
const config = readConfig(join(dir, 'scheduler.json'), dir);
const logger = createLogger({ name: 'child', level: 'silent' });
startScheduler({ config, runtime, logger, clock, random: systemRandom });
writeSync(1, 'ready\n');
