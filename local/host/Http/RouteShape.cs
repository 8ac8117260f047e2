using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Routing.Patterns;

namespace FunctionsHost.Http;

/// <summary>A segment of a path: a literal, or anything, perhaps within constraints.</summary>
internal sealed record RouteSegment(
    string? Literal, bool IsCatchAll, bool IsComplex, string Constraints, IReadOnlyList<IRouteConstraint> Checks)
{
    /// <summary>Whether each text that the other segment matches is matched by this one.</summary>
    public bool Covers(RouteSegment other)
    {
        if (Literal is not null)
            return string.Equals(Literal, other.Literal, StringComparison.OrdinalIgnoreCase);
        if (IsComplex)
            return false;
        if (Checks.Count == 0 || Constraints == other.Constraints)
            return true;
        if (other.Literal is not { } literal)
            return false;
        var values = new RouteValueDictionary { ["value"] = literal };
        return Checks.All(check => check.Match(null, null, "value", values, RouteDirection.IncomingRequest));
    }
}

/// <summary>A form of path that a route matches.</summary>
internal sealed record RouteShape(IReadOnlyList<RouteSegment> Segments)
{
    public static IReadOnlyList<RouteShape> Of(
        RoutePattern pattern, IReadOnlyList<(string Parameter, IRouteConstraint Constraint)> constraints)
    {
        var segments = pattern.PathSegments.Select(segment => SegmentOf(pattern, segment, constraints)).ToList();
        // Parameters at the end that have a default, or need not be there, give a shorter form each.
        var shortest = segments.Count;
        while (shortest > 0 && pattern.PathSegments[shortest - 1] is { IsSimple: true } last
            && last.Parts[0] is RoutePatternParameterPart parameter
            && (parameter.IsOptional || parameter.Default is not null) && !parameter.IsCatchAll)
        {
            shortest--;
        }
        return [.. Enumerable.Range(shortest, segments.Count - shortest + 1).Select(length => new RouteShape(segments[..length]))];
    }

    /// <summary>Whether each path of the other form is one of this form too.</summary>
    public bool Covers(RouteShape other)
    {
        for (var i = 0; i < Segments.Count; i++)
        {
            if (Segments[i].IsCatchAll)
                return Segments[i].Checks.Count == 0;
            if (i == other.Segments.Count || other.Segments[i].IsCatchAll || !Segments[i].Covers(other.Segments[i]))
                return false;
        }
        return Segments.Count == other.Segments.Count;
    }

    private static RouteSegment SegmentOf(
        RoutePattern pattern, RoutePatternPathSegment segment, IReadOnlyList<(string Parameter, IRouteConstraint Constraint)> constraints)
    {
        if (!segment.IsSimple)
            return new RouteSegment(null, IsCatchAll: false, IsComplex: true, "", []);
        if (segment.Parts[0] is not RoutePatternParameterPart parameter)
            return new RouteSegment(((RoutePatternLiteralPart)segment.Parts[0]).Content, IsCatchAll: false, IsComplex: false, "", []);
        var texts = pattern.ParameterPolicies.TryGetValue(parameter.Name, out var policies)
            ? string.Join(':', policies.Select(policy => policy.Content).Order(StringComparer.Ordinal))
            : "";
        return new RouteSegment(
            null, parameter.IsCatchAll, IsComplex: false, texts,
            [.. constraints.Where(constraint => constraint.Parameter == parameter.Name).Select(constraint => constraint.Constraint)]);
    }
}

/// <summary>Finds routes that no request can reach, because another function's route matches all of their requests first.</summary>
internal static class RouteShadows
{
    /// <exception cref="InvalidOperationException">
    /// There are such routes: the message names each, and the function in front of it.
    /// </exception>
    public static void Refuse(IReadOnlyList<FunctionRoute> routes)
    {
        var shadows = Find(routes).ToList();
        if (shadows.Count == 0)
            return;
        throw new InvalidOperationException(string.Join(Environment.NewLine, shadows.Select(shadow =>
            $"Function '{shadow.Behind.Function.Name}' ({shadow.Behind.Template}) can never run for {shadow.Methods}: "
            + $"function '{shadow.Front.Function.Name}' ({shadow.Front.Template}) comes before it by name and takes its requests. "
            + "Rename one of them, or give the parameter a route constraint.")));
    }

    /// <param name="routes">In the order in which they are tried.</param>
    public static IEnumerable<(FunctionRoute Front, FunctionRoute Behind, string Methods)> Find(IReadOnlyList<FunctionRoute> routes)
    {
        for (var behind = 1; behind < routes.Count; behind++)
        {
            for (var front = 0; front < behind; front++)
            {
                if (Methods(routes[front], routes[behind]) is { } methods
                    && routes[behind].Shapes.Any(shape => routes[front].Shapes.Any(cover => cover.Covers(shape))))
                {
                    yield return (routes[front], routes[behind], methods);
                }
            }
        }
    }

    /// <summary>The methods that both accept; null for none.</summary>
    private static string? Methods(FunctionRoute front, FunctionRoute behind)
    {
        if (behind.Methods.Count == 0)
            return front.Methods.Count == 0 ? "any method" : string.Join(", ", front.Methods);
        var both = behind.Methods.Where(front.Accepts).ToList();
        return both.Count == 0 ? null : string.Join(", ", both);
    }
}
