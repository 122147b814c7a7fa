import * as factored from 'factored-svd';
import { matchSvd } from 'factored-svd/testing';
import { openSafetensors } from 'factored-svd/weights';
import report from './report.cjs';

if (![matchSvd, openSafetensors].every((f) => typeof f === 'function')) throw new Error('a subpath is empty');
console.log(JSON.stringify(report(factored)));
