using System.Data;
using Dapper;

namespace Payments.Domain.Database;

/// <summary>
/// Teaches Dapper the types of this domain. Times are UTC. Columns in snake_case map to properties in PascalCase. Typed ids are uuids, and
/// currencies are their codes. A capability adds its enums with <see cref="AddEnum{TEnum}"/>.
/// </summary>
public static class DatabaseTypes
{
    private static readonly Lock Gate = new();
    private static bool _registered;

    /// <summary>Idempotent and thread-safe. <see cref="PaymentsDataSource"/> calls it for every data source that it creates.</summary>
    public static void Register()
    {
        lock (Gate)
        {
            if (_registered)
                return;
            DefaultTypeMap.MatchNamesWithUnderscores = true;
            SqlMapper.Settings.PreferTypeHandlersForEnums = true;
            SqlMapper.RemoveTypeMap(typeof(DateTimeOffset));
            SqlMapper.RemoveTypeMap(typeof(DateTimeOffset?));
            SqlMapper.AddTypeHandler(new UtcHandler());
            SqlMapper.AddTypeHandler(new CurrencyHandler());
            AddId<MerchantId>();
            AddId<ChargeId>();
            AddId<AttemptId>();
            AddId<RefundId>();
            AddId<DisputeId>();
            AddId<PayoutId>();
            AddId<EventId>();
            AddId<WebhookEndpointId>();
            AddId<DeliveryId>();
            AddId<ApiKeyId>();
            _registered = true;
        }
    }

    /// <summary>Reads and writes the enum as text, in the spelling of <see cref="DbText"/>.</summary>
    public static void AddEnum<TEnum>()
        where TEnum : struct, Enum => SqlMapper.AddTypeHandler(new EnumHandler<TEnum>());

    public static void AddId<TId>()
        where TId : struct, IPrefixedId<TId> => SqlMapper.AddTypeHandler(new IdHandler<TId>());

    private sealed class UtcHandler : SqlMapper.TypeHandler<DateTimeOffset>
    {
        public override DateTimeOffset Parse(object value) => value switch
        {
            DateTimeOffset offset => offset.ToUniversalTime(),
            DateTime { Kind: DateTimeKind.Utc } utc => new DateTimeOffset(utc),
            _ => throw new DataException($"{value.GetType()} is not a timestamptz."),
        };

        public override void SetValue(IDbDataParameter parameter, DateTimeOffset value)
        {
            parameter.DbType = DbType.DateTime;
            parameter.Value = value.UtcDateTime;
        }
    }

    private sealed class CurrencyHandler : SqlMapper.TypeHandler<Currency>
    {
        public override Currency? Parse(object value) => Currency.Of((string)value);

        public override void SetValue(IDbDataParameter parameter, Currency? value)
        {
            parameter.DbType = DbType.String;
            parameter.Value = (object?)value?.Code ?? DBNull.Value;
        }
    }

    private sealed class EnumHandler<TEnum> : SqlMapper.TypeHandler<TEnum>
        where TEnum : struct, Enum
    {
        public override TEnum Parse(object value) => DbText.Parse<TEnum>((string)value);

        public override void SetValue(IDbDataParameter parameter, TEnum value)
        {
            parameter.DbType = DbType.String;
            parameter.Value = DbText.Of(value);
        }
    }

    private sealed class IdHandler<TId> : SqlMapper.TypeHandler<TId>
        where TId : struct, IPrefixedId<TId>
    {
        public override TId Parse(object value) => TId.From((Guid)value);

        public override void SetValue(IDbDataParameter parameter, TId value)
        {
            parameter.DbType = DbType.Guid;
            parameter.Value = value.Value;
        }
    }
}
