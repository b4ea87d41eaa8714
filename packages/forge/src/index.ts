export { addUser, startForge, type NewUser, type RunningForge, type StartForge } from './server.ts';
export { LocalForgeError, type FieldProblem, type LocalForgeErrorDetails } from './errors.ts';
