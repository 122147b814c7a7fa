// What runs in the pages of `factored-svd report` and `scan`: reads what the page holds, and shows it.
import { showComposition } from './composition.ts';
import { showDownloads } from './csv.ts';
import { followAddress } from './detail.ts';
import { announce, byId } from './dom.ts';
import { showEnergy } from './energy.ts';
import { showMaps } from './maps.ts';
import { showScan } from './scan.ts';
import { showSpectra } from './spectra.ts';
import { showTable } from './table.ts';
import { followTheme } from './theme.ts';
import { showTokens } from './tokens.ts';
import { unpack } from './unpack.ts';

const held = byId('report').textContent!;
if (document.documentElement.dataset.page === 'scan') showScan(held);
else {
  const report = unpack(held);
  const sections = [showSpectra, showMaps, showEnergy, showComposition, showTokens, showTable, showDownloads];
  for (const show of sections) show(report);
  followAddress(report);
}
announce('');
followTheme();
document.documentElement.classList.add('ready');
