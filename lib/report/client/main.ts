// What runs in the page of `factored-svd report`: reads the report that the page holds, and shows it.
import { showComposition } from './composition.ts';
import { showDownloads } from './csv.ts';
import { followAddress } from './detail.ts';
import { announce, byId } from './dom.ts';
import { showEnergy } from './energy.ts';
import { showMaps } from './maps.ts';
import { showSpectra } from './spectra.ts';
import { showTable } from './table.ts';
import { followTheme } from './theme.ts';
import { showTokens } from './tokens.ts';
import { unpack } from './unpack.ts';

const report = unpack(byId('report').textContent!);
for (const show of [showSpectra, showMaps, showEnergy, showComposition, showTokens, showTable, showDownloads])
  show(report);
announce('');
followTheme();
followAddress(report);
document.documentElement.classList.add('ready');
