import { describeDamagedBundles } from './conformance/describeDamagedBundles.ts';

describeDamagedBundles(25);
