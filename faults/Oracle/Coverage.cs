using Npgsql;
using Payments.Domain.Charges;
using Payments.Domain.Database;
using Payments.Domain.Disputes;
using Payments.Domain.Payouts;
using Payments.Domain.Refunds;

namespace Payments.Faults;

/// <summary>
/// Counts the moves of the state machines by name (<c>charge: pending -> captured</c>), against all moves that the domain allows. Triggers
/// in the database record each move.
/// </summary>
internal sealed class Coverage
{
    // Disputes move inside a stage and from stage to stage. A new stage may begin with any of its statuses: these hundreds of moves would
    // all say the same.
    private static readonly (string Object, string[] Moves)[] OfAttempts =
    [
        ("charge", ["started -> unknown", "started -> requires_action", "started -> succeeded", "started -> declined", "started -> failed", "unknown -> requires_action", "unknown -> succeeded",
            "unknown -> declined", "unknown -> failed", "requires_action -> succeeded", "requires_action -> declined", "requires_action -> failed"]),
        ("capture", ["started -> unknown", "started -> succeeded", "started -> declined", "started -> failed", "unknown -> succeeded", "unknown -> declined", "unknown -> failed"]),
        ("cancel", ["started -> unknown", "started -> succeeded", "started -> declined", "started -> failed", "unknown -> succeeded", "unknown -> declined", "unknown -> failed"]),
        ("refund", ["started -> unknown", "started -> pending", "started -> succeeded", "started -> declined", "started -> failed", "unknown -> pending", "unknown -> succeeded", "unknown -> declined",
            "unknown -> failed", "pending -> succeeded", "pending -> declined", "succeeded -> declined"]),
    ];

    private static readonly string[] OfWebhooks =
    [
        "delivery: pending -> delivered", "delivery: pending -> failed", "delivery: pending -> canceled", "delivery: delivered -> pending", "delivery: failed -> pending", "delivery: canceled -> pending",
        "endpoint: enabled -> disabled by merchant", "endpoint: enabled -> disabled by gone", "endpoint: enabled -> disabled by failing", "endpoint: disabled -> enabled", "endpoint: deleted",
    ];

    // The domain allows these moves, but the sandbox acquirer never causes them. It neither takes a payment to finish it later nor cancels
    // one without a request. It keeps no record of a capture or a cancel that it refused, so a later question finds none.
    private static readonly HashSet<string> NotInTheSandbox = new(StringComparer.Ordinal)
    {
        "charge: requires_action -> processing", "charge: pending -> canceled", "charge: processing -> canceled",
        "attempt of capture: unknown -> declined", "attempt of cancel: unknown -> declined",
    };

    private readonly Dictionary<string, long> _counts = new(StringComparer.Ordinal);

    /// <summary>Every move that is allowed and that the sandbox can cause.</summary>
    public static IReadOnlyList<string> Legal { get; } =
    [
        .. Moves<ChargeStatus>("charge", ChargeTransitions.Allows).Where(move => !NotInTheSandbox.Contains(move)),
        .. OfAttempts.SelectMany(attempt => attempt.Moves.Select(move => $"attempt of {attempt.Object}: {move}")).Where(move => !NotInTheSandbox.Contains(move)),
        .. Moves<RefundStatus>("refund", RefundTransitions.Allows),
        .. Moves<DisputeStatus>(
            "dispute", (from, to) => Enum.GetValues<DisputeStage>().Any(stage => DisputeTransitions.Belongs(stage, from) && DisputeTransitions.Allows(stage, from, stage, to))),
        .. Moves<DisputeStage>("dispute stage", (from, to) => to > from),
        .. Moves<PayoutStatus>("payout", PayoutTransitions.Allows),
        .. OfWebhooks,
    ];

    public IReadOnlyDictionary<string, long> Counts => _counts;

    /// <summary>Allowed moves that never happened.</summary>
    public IReadOnlyList<string> Missing => [.. Legal.Where(move => !_counts.ContainsKey(move))];

    /// <summary>Makes the database record every later move, and the address of each deleted endpoint. Idempotent.</summary>
    public static async Task WatchAsync(NpgsqlDataSource owner, CancellationToken ct)
    {
        await using var command = owner.CreateCommand(Watch);
        await command.ExecuteNonQueryAsync(ct);
    }

    public static async Task<Coverage> ReadAsync(NpgsqlDataSource owner, CancellationToken ct)
    {
        var coverage = new Coverage();
        await using var command = owner.CreateCommand("SELECT object || ': ' || move, count(*) FROM faults.moves GROUP BY 1");
        await using var row = await command.ExecuteReaderAsync(ct);
        while (await row.ReadAsync(ct))
            coverage._counts[row.GetString(0)] = row.GetInt64(1);
        return coverage;
    }

    /// <summary>Adds another run's counts.</summary>
    public void Add(IReadOnlyDictionary<string, long> counts)
    {
        foreach (var (move, count) in counts)
            _counts[move] = _counts.GetValueOrDefault(move) + count;
    }

    /// <summary>Moves that happened and are not allowed.</summary>
    internal static async Task<IEnumerable<Violation>> IllegalAsync(Snapshot snapshot, CancellationToken ct)
    {
        if ((await snapshot.ReadAsync("SELECT to_regclass('faults.moves') IS NOT NULL", row => row.GetBoolean(0), ct)) is not [true])
            return [];
        var moves = await snapshot.ReadAsync(
            """
            SELECT object || ': ' || move, min(merchant_id::text || '/' || id::text), min(at)::text, count(*) FROM faults.moves
            WHERE object IN ('charge', 'refund', 'payout') OR object LIKE 'attempt of %'
            GROUP BY 1
            """,
            row => (Move: row.GetString(0), First: row.GetString(1), At: row.GetString(2), Count: row.GetInt64(3)), ct);
        return moves.Where(move => !Legal.Contains(move.Move) && !NotInTheSandbox.Contains(move.Move))
            .Select(move => new Violation("state_machine", $"{move.Move} happened {move.Count} times, first at {move.At} to {move.First}"));
    }

    private static IEnumerable<string> Moves<T>(string name, Func<T, T, bool> allows)
        where T : struct, Enum =>
        from origin in Enum.GetValues<T>()
        from to in Enum.GetValues<T>()
        where allows(origin, to)
        select $"{name}: {DbText.Of(origin)} -> {DbText.Of(to)}";

    private const string Watch =
        """
        CREATE SCHEMA IF NOT EXISTS faults;
        CREATE TABLE IF NOT EXISTS faults.moves (
            at timestamptz NOT NULL DEFAULT clock_timestamp(), object text NOT NULL, merchant_id uuid NOT NULL, id uuid NOT NULL, move text NOT NULL);
        CREATE TABLE IF NOT EXISTS faults.deleted_endpoints (id uuid PRIMARY KEY, url text NOT NULL);

        CREATE OR REPLACE FUNCTION faults.note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
        DECLARE
            kind text := TG_ARGV[0];
        BEGIN
            IF kind = 'endpoint' THEN
                IF TG_OP = 'DELETE' THEN
                    INSERT INTO faults.moves (object, merchant_id, id, move) VALUES (kind, OLD.merchant_id, OLD.id, 'deleted');
                    INSERT INTO faults.deleted_endpoints (id, url) VALUES (OLD.id, OLD.url);
                ELSIF NEW.status <> OLD.status THEN
                    INSERT INTO faults.moves (object, merchant_id, id, move)
                    VALUES (kind, NEW.merchant_id, NEW.id, OLD.status || ' -> ' || NEW.status || COALESCE(' by ' || NEW.disabled_reason, ''));
                END IF;
                RETURN NULL;
            END IF;
            IF kind = 'dispute' THEN
                IF NEW.stage <> OLD.stage THEN
                    INSERT INTO faults.moves (object, merchant_id, id, move) VALUES ('dispute stage', NEW.merchant_id, NEW.id, OLD.stage || ' -> ' || NEW.stage);
                    RETURN NULL;
                END IF;
            ELSIF kind = 'attempt' THEN
                kind := 'attempt of ' || NEW.operation;

                -- A charge's first attempt begins without a row.
                IF TG_OP = 'INSERT' THEN
                    IF NEW.status <> 'started' THEN
                        INSERT INTO faults.moves (object, merchant_id, id, move) VALUES (kind, NEW.merchant_id, NEW.id, 'started -> ' || NEW.status);
                    END IF;
                    RETURN NULL;
                END IF;
            END IF;
            IF NEW.status <> OLD.status THEN
                INSERT INTO faults.moves (object, merchant_id, id, move) VALUES (kind, NEW.merchant_id, NEW.id, OLD.status || ' -> ' || NEW.status);
            END IF;
            RETURN NULL;
        END
        $$;

        CREATE OR REPLACE TRIGGER faults_note AFTER UPDATE OF status ON payments.charges FOR EACH ROW EXECUTE FUNCTION faults.note('charge');
        CREATE OR REPLACE TRIGGER faults_note AFTER INSERT OR UPDATE OF status ON payments.attempts FOR EACH ROW EXECUTE FUNCTION faults.note('attempt');
        CREATE OR REPLACE TRIGGER faults_note AFTER UPDATE OF status ON payments.refunds FOR EACH ROW EXECUTE FUNCTION faults.note('refund');
        CREATE OR REPLACE TRIGGER faults_note AFTER UPDATE OF status, stage ON payments.disputes FOR EACH ROW EXECUTE FUNCTION faults.note('dispute');
        CREATE OR REPLACE TRIGGER faults_note AFTER UPDATE OF status ON payments.payouts FOR EACH ROW EXECUTE FUNCTION faults.note('payout');
        CREATE OR REPLACE TRIGGER faults_note AFTER UPDATE OF status ON payments.webhook_deliveries FOR EACH ROW EXECUTE FUNCTION faults.note('delivery');
        CREATE OR REPLACE TRIGGER faults_note AFTER UPDATE OF status OR DELETE ON payments.webhook_endpoints FOR EACH ROW EXECUTE FUNCTION faults.note('endpoint');
        """;
}
