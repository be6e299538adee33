// How ava runs the unit tests. The files that take longest begin first, so that none of them is
// left running alone while another processor has nothing to do.
const LONG = /\b(?:simulation|fuzz|garbage)\.test\.ts$/
const rank = file => LONG.test(file) ? 0 : 1

export default {
  extensions: ['ts'],
  files: ['src/**/*.test.ts'],
  workerThreads: false,
  timeout: '2m',
  sortTestFiles: (one, other) => rank(one) - rank(other),
}
