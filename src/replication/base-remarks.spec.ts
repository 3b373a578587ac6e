import { describe, expect, it } from '@jest/globals';
import { BaseRemarks } from './base-remarks.js';

const at = (offset: number) => ({ lineage: '7f1c2a34-0000-4000-8000-000000000000', iteration: 3, offset });

describe('what the next base tells', () => {
  it('is the first gap and the first commit that was taken back, once', () => {
    const remarks = new BaseRemarks();
    remarks.noteGap('first');
    remarks.noteGap('second');
    remarks.noteTakenBack(at(100));
    remarks.noteTakenBack(at(200));
    expect(remarks.take()).toEqual({ gap: 'first', takenBack: at(100) });
    expect(remarks.take()).toEqual({ gap: null, takenBack: null });
  });

  it('leaves out what is noted while it is being told: that is for the base after', () => {
    const remarks = new BaseRemarks();
    remarks.noteGap('before');
    expect(remarks.take()).toEqual({ gap: 'before', takenBack: null });
    remarks.noteGap('meanwhile');
    remarks.noteTakenBack(at(300));
    expect(remarks.take()).toEqual({ gap: 'meanwhile', takenBack: at(300) });
  });

  it('comes first again where it could not be told', () => {
    const remarks = new BaseRemarks();
    remarks.noteGap('before');
    const told = remarks.take();
    remarks.noteGap('meanwhile');
    remarks.noteTakenBack(at(300));
    remarks.putBack(told);
    expect(remarks.take()).toEqual({ gap: 'before', takenBack: at(300) });
  });
});
