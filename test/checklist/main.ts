import { report } from './report.ts';

const { text, missing } = report();
process.stdout.write(text);
process.exitCode = missing.length === 0 ? 0 : 1;
