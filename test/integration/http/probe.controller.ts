import { BadGatewayException, Body, Controller, Get, HttpCode, Param, Post, Query, Req, Res } from '@nestjs/common';
import { ServiceUnavailableException } from '@nestjs/common';
import type { Request, Response } from 'express';
import { z } from 'zod';
import { ApiKeys } from '../../../src/auth/api-keys.js';
import { RequireRole } from '../../../src/auth/require-role.js';
import { EiderError } from '../../../src/errors/eider-error.js';
import { auditNote } from '../../../src/http/audit-note.js';
import type { Operation } from '../../../src/operations/operation.js';
import { OperationsService } from '../../../src/operations/operations.service.js';
import { answerOperation } from '../../../src/operations/respond-async.js';

const bodySchema = z.strictObject({ label: z.string().max(10).optional(), size: z.number().int().optional() });

/** Lets a test hold a request open, and the other way round. */
export class Latch {
  readonly reached: Promise<void>;
  readonly opened: Promise<void>;
  readonly reach: () => void;
  readonly open: () => void;

  constructor() {
    let reach = (): void => {};
    let open = (): void => {};
    this.reached = new Promise((resolve) => (reach = resolve));
    this.opened = new Promise((resolve) => (open = resolve));
    this.reach = reach;
    this.open = open;
  }
}

/** One route for each way in which a request can end. */
@Controller('probe')
export class ProbeController {
  static latch = new Latch();

  @Get('fails')
  fails(): void {
    throw new Error('/secret/path and SELECT password');
  }

  @Get('eider')
  eider(): void {
    const options = { details: { bytes: 10n }, retryAfterSeconds: 7, cause: new Error('the cause') };
    throw new EiderError('DATABASE_READ_ONLY', 'A restore is running.', options);
  }

  @Get('gateway')
  gateway(): void {
    throw new BadGatewayException('internal host name');
  }

  @Get('unhealthy')
  unhealthy(): void {
    throw new ServiceUnavailableException({ status: 'error', details: { database: { status: 'down' } } });
  }

  @Get('half')
  half(@Res() response: Response): void {
    response.setHeader('Content-Type', 'text/plain');
    response.write('the first half');
    throw new EiderError('STORE_CORRUPT', 'The pack is damaged.');
  }

  @Get('big')
  big(): object {
    return { small: 12n, large: 2n ** 60n };
  }

  @Post('body')
  @HttpCode(200)
  body(@Body({ schema: bodySchema }) body: z.infer<typeof bodySchema>): object {
    return { body };
  }

  @Get('items/:id')
  item(
    @Param('id', { schema: z.coerce.number().int() }) id: number,
    @Query({ schema: z.strictObject({ since: z.coerce.date().optional() }) }) query: { since?: Date },
  ): object {
    return { id, since: query.since ?? null };
  }

  @Get('wait')
  async wait(): Promise<object> {
    ProbeController.latch.reach();
    await ProbeController.latch.opened;
    return { waited: true };
  }
}

/** Stands for the health routes. */
@Controller('health')
export class HealthProbeController {
  constructor(private readonly keys: ApiKeys) {}

  @Get('live')
  live(@Req() request: Request): object {
    return { viewer: this.keys.optionalViewer(request)?.name ?? null };
  }
}

/** Admin routes of each role, and one that forgot to say. */
@RequireRole('viewer')
@Controller('admin/probe')
export class AdminProbeController {
  constructor(private readonly operations: OperationsService) {}

  @Get()
  look(): object {
    return { ok: true };
  }

  @RequireRole('operator')
  @Post('work')
  work(@Req() request: Request, @Res({ passthrough: true }) response: Response): Promise<object | Operation> {
    return answerOperation(
      request,
      response,
      this.operations.start('backup', async (progress) => {
        progress.step('read');
        auditNote(request, { backup: 'hesocial-manual-1' });
        return { name: 'hesocial-manual-1', rows: 3n };
      }),
    );
  }

  @RequireRole('admin')
  @Get('backups/:name')
  backup(@Param('name') name: string): object {
    return { name };
  }
}

@Controller('admin/forgotten')
export class ForgottenController {
  @Get()
  look(): object {
    return { ok: true };
  }
}

export const PROBES = [ProbeController, HealthProbeController, AdminProbeController, ForgottenController] as const;
