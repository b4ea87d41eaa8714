export { normalizeSpace } from './normalize-space.js';
