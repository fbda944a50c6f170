import { messageOf } from '../../core/errors.ts';
import { type LoadedAddon, loadAddon } from '../engines/native/load.ts';

/** The native addon, whatever LIMELIGHT_ISA says, or why it is not there: for tests that go through its instruction sets. */
export function nativeAddon(): LoadedAddon | string {
  try {
    return loadAddon('');
  } catch (error) {
    return messageOf(error);
  }
}
