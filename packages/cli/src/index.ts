export { caloronProgram } from './caloron.ts';
export { noetherProgram } from './noether.ts';
