const factored = require('factored-svd');
const { matchSvd } = require('factored-svd/testing');
const { openSafetensors } = require('factored-svd/weights');
const report = require('./report.cjs');

if (![matchSvd, openSafetensors].every((f) => typeof f === 'function')) throw new Error('a subpath is empty');
console.log(JSON.stringify(report(factored)));
