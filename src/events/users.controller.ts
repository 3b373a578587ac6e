import { Controller, Get, Param } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { ApiProblems } from '../http/api-problems.js';
import { idSchema, type UserProfile, userProfileSchema } from './events.schemas.js';
import { EventsService } from './events.service.js';

/** Public profiles. */
@ApiTags('events')
@ApiProblems('DATABASE_CLOSED', 'QUERY_TIMEOUT')
@Controller('users')
export class UsersController {
  constructor(private readonly events: EventsService) {}

  @ApiOperation({ summary: 'The public profile of a user: no address, no telephone number' })
  @ApiOkResponse({ standardSchema: userProfileSchema })
  @ApiProblems('REQUEST_INVALID', 'USER_NOT_FOUND')
  @Get(':id')
  get(@Param('id', { schema: idSchema }) id: number): Promise<UserProfile> {
    return this.events.profile(id);
  }
}
