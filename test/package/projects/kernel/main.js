import { run } from './program.js';

run().then(
  (result) => (window.result = result),
  (error) => (window.result = { error: String(error) }),
);
